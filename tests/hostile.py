"""Names that strangers could give: each tries to end what it stands in, and to begin something else."""

PRINTED = (
    *('"', "'", "\\", "trailing\\", "{", "}", ";", "#", "??/", "a??", "*/", "/*", "//", "[/x]", "[red]x"),
    *(":smile:", "$(touch x)", "`touch x`", "${x}", "[exec touch x]", "%s%n", "</script>", "<b>x</b>"),
    *("&lt;", "a|b", "*b*", "_b_", "~~x~~", "![x](y)", "$x$", "{{ 1 }}", "{% raw %}", "a b", "..", "../../x"),
    *("Größe", "日本", "\U0001f600"),
    'c",0,0,0,0}}; static int intruder = puts("INTRUDER"); //',
)
UNPRINTED = ("a\nb", "a\r\nb", "a\tb", "\x1b[31m", "\0", "\x85", "\u2028", "\u202e", "\ud800")
NAMES = PRINTED + UNPRINTED
