# Stands in for Vivado and Vitis HLS in tclsh: the commands of vendor_commands.txt are known, printed with their
# words, refused where an option is not documented, and return a name; the one that RECORDED_FAILURE names fails.
# RECORDED_CLOCK is the actual clock in Hz,
# RECORDED_WNS, RECORDED_WHS, RECORDED_TPWS are slacks in ns, RECORDED_UNCONSTRAINED counts endpoints.
#   tclsh vivado_recorder.tcl SCRIPT
set documented [dict create]
set table [open [file join [file dirname [info script]] vendor_commands.txt]]
set script [lindex $argv 0]
set tool [expr {[file tail $script] eq "run_hls.tcl" ? "hls" : "vivado"}]
foreach line [split [read $table] "\n"] {
    set words [split $line]
    if {[lindex $words 0] eq $tool} { dict set documented [lindex $words 1] [lrange $words 2 end] }
}
close $table
# What follows an option that takes a value is none, whatever it begins with.
proc refuse_undocumented {name words} {
    set known [dict get $::documented $name]
    for {set at 0} {$at < [llength $words]} {incr at} {
        set word [lindex $words $at]
        if {"$word=" in $known} {
            incr at
        } elseif {[regexp {^-[A-Za-z]} $word] && $word ni $known && $word ni {-quiet -verbose}} {
            error "$name has no option $word in vendor_commands.txt"
        }
    }
}
proc told {name default} {
    return [expr {[info exists ::env(RECORDED_$name)] ? $::env(RECORDED_$name) : $default}]
}
proc record {name words} {
    refuse_undocumented $name $words
    puts "VIVADO $name $words"
    if {[info exists ::env(RECORDED_FAILURE)] && $::env(RECORDED_FAILURE) eq $name} {
        error "$name as told"
    }
    switch -- $name {
        get_bd_pins - get_bd_intf_pins { return $words }
        get_board_parts { return [told BOARD_PARTS "vendor.com[string trimright [lindex $words end] *]:1.9"] }
        get_ipdefs { return hotnas:rtl:hotnas_accel:1.0 }
        get_property {
            switch -glob -- [lindex $words 0] {
                CONFIG.FREQ_HZ { return [told CLOCK 99999001] }
                STATS.TPWS { return [told TPWS 0.0] }
                STATS.* { return [told [string range [lindex $words 0] 6 end] 0.1] }
            }
            return "100%"
        }
        check_timing {
            return "1. checking no_clock (0)\n3. checking unconstrained_internal_endpoints ([told UNCONSTRAINED 0])\n"
        }
        create_bd_cell { return [lindex $words end] }
    }
    return "<$name $words>"
}
namespace eval ipx {}
foreach name [dict keys $documented] {
    proc $name args "return \[::record $name \$args\]"
}
source $script
