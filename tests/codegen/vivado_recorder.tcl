# Stands in for Vivado and Vitis HLS in tclsh: every command of theirs is known, printed with its words, and
# returns a name; the one that RECORDED_FAILURE names fails. RECORDED_CLOCK is the actual clock in Hz,
# RECORDED_WNS, RECORDED_WHS, RECORDED_TPWS are slacks in ns, RECORDED_UNCONSTRAINED counts endpoints.
#   tclsh vivado_recorder.tcl SCRIPT
set hls_commands {
    add_files config_interface cosim_design create_clock csim_design csynth_design export_design open_project
    open_solution set_clock_uncertainty set_part set_top
}
set vivado_commands {
    add_files apply_bd_automation assign_bd_address check_timing close_project connect_bd_intf_net connect_bd_net create_bd_cell
    create_bd_design create_project current_fileset current_project get_bd_intf_pins get_bd_pins get_bd_addr_segs get_bd_addr_spaces get_board_parts get_files get_ipdefs
    get_property get_runs launch_runs make_wrapper open_run report_timing_summary report_utilization save_bd_design
    set_property update_compile_order update_ip_catalog validate_bd_design wait_on_run write_hw_platform
}
set packager_commands {
    add_bus_parameter add_register associate_bus_interfaces check_integrity create_xgui_files current_core
    get_address_blocks get_bus_interfaces get_memory_maps infer_bus_interface package_project save_core update_checksums
}
proc told {name default} {
    return [expr {[info exists ::env(RECORDED_$name)] ? $::env(RECORDED_$name) : $default}]
}
proc record {name words} {
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
foreach name [concat $vivado_commands $hls_commands] {
    proc $name args "return \[record $name \$args\]"
}
namespace eval ipx {}
foreach name $packager_commands {
    proc ipx::$name args "return \[::record ipx::$name \$args\]"
}
set script [lindex $argv 0]
source $script
