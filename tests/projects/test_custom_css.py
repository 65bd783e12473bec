"""What of a style sheet can be taken (P4; bad inputs 111 to 113)."""

import pytest

from tocsin.projects.custom_css import LONGEST, MOST_DECLARATIONS, MOST_RULES, Unsafe, checked


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        ("", ""),
        (".brand-a{color:red}", ".brand-a { color: red; }"),
        (
            ".brand-a:hover , .brand-b > .brand-c.brand-d{COLOR:#FFF}",
            ".brand-a:hover , .brand-b > .brand-c.brand-d { color: #FFF; }",
        ),
        (
            "/* note */ .brand-a { padding: calc(1px + 2em) 3px !important }",
            ".brand-a { padding: calc(1px + 2em) 3px !important; }",
        ),
        (".brand-a { font-family: 'Open Sans', serif; }", '.brand-a { font-family: "Open Sans", serif; }'),
        (".brand-a { color: rgb(1 2 3 / 50%); }", ".brand-a { color: rgb(1 2 3 / 50%); }"),
        (".brand-a { } .brand-b:focus-visible {}", ".brand-a {  }\n.brand-b:focus-visible {  }"),
    ],
)
def test_plain_rules_are_written_anew(css: str, kept: str) -> None:
    assert checked(css) == kept
    assert checked(checked(css)) == kept


@pytest.mark.parametrize(
    ("css", "code"),
    [
        ("@import 'https://a.example/x.css';", "css_at_rule"),
        ("@font-face { font-family: x; src: url(x) }", "css_at_rule"),
        ("@media print { .brand-a { color: red } }", "css_at_rule"),
        ("@\\69mport 'x';", "css_at_rule"),
        (".brand-a { background-color: url(http://a.example) }", "css_value"),
        (".brand-a { color: url('data:image/svg+xml,x') }", "css_function"),
        (".brand-a { color: \\75rl(http://a.example) }", "css_value"),
        (".brand-a { color: \\75 rl('x') }", "css_function"),
        (".brand-a { color: image-set('a.png' 1x) }", "css_function"),
        (".brand-a { color: expression(alert(1)) }", "css_function"),
        (".brand-a { color: calc(expression(1)) }", "css_function"),
        (".brand-a { color: var(--x) }", "css_function"),
        (".brand-a { color: rgb((url(x))) }", "css_value"),
        (".brand-a { behavior: x }", "css_property"),
        (".brand-a { -moz-binding: x }", "css_property"),
        (".brand-a { background: red }", "css_property"),
        (".brand-a { position: fixed }", "css_property"),
        (".brand-a { p\\6fsition: fixed }", "css_property"),
        (".brand-a { display: none }", "css_property"),
        (".brand-a { content: 'x' }", "css_property"),
        (".brand-a { --x: red }", "css_property"),
        (".brand-a { font-family: '</style><script>' }", "css_value"),
        (".brand-a { color: {a} }", "css_value"),
        (".brand-a { .brand-b { color: red } }", "css_syntax"),
        (".brand-a { @media x {} }", "css_syntax"),
        (".brand-a { color }", "css_syntax"),
        (".brand-a", "css_syntax"),
        ("</style><script>alert(1)</script>", "css_syntax"),
        ("}} body { display: none }", "css_selector"),
        ("body { color: red }", "css_selector"),
        ("* { color: red }", "css_selector"),
        ("#brand-a { color: red }", "css_selector"),
        (".other { color: red }", "css_selector"),
        (".brand-a body { color: red }", "css_selector"),
        (".brand-a, body { color: red }", "css_selector"),
        ("input[value^=a] { color: red }", "css_selector"),
        (".brand-a[value^=a] { color: red }", "css_selector"),
        (".brand-a:is(body) { color: red }", "css_selector"),
        (".brand-a::before { color: red }", "css_selector"),
        (".brand-a:visited { color: red }", "css_selector"),
        (":hover { color: red }", "css_selector"),
        (". brand-a { color: red }", "css_selector"),
        ("> .brand-a { color: red }", "css_selector"),
        (".brand-a > { color: red }", "css_selector"),
        (".brand-a,, .brand-b { color: red }", "css_selector"),
        ("{ color: red }", "css_selector"),
        (".brand-a {}" * (MOST_RULES + 1), "too_many_rules"),
        (".brand-a {" + "color: red;" * (MOST_DECLARATIONS + 1) + "}", "css_too_many"),
        ("/*" + "a" * LONGEST + "*/", "too_long"),
        (".brand-a" + ":is(" * 5_000 + " { color: red }", "css_syntax"),
        (".brand-a { color: " + "(" * 5_000 + " }", "css_too_deep"),
        (".brand-a { color: " + "calc(" * 5_000 + " }", "css_too_deep"),
    ],
)
def test_what_reaches_further_is_refused(css: str, code: str) -> None:
    with pytest.raises(Unsafe) as refused:
        checked(css)
    assert refused.value.errors[0].code == code


def test_every_mistake_is_named_up_to_a_bound() -> None:
    with pytest.raises(Unsafe) as refused:
        checked("body { }\n" * 100)
    assert [error.line for error in refused.value.errors] == list(range(1, 21))
