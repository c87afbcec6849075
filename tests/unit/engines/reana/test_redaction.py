"""A server that says the token back, as it is or as it stands in an address, tells it to nobody."""

from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from relance.engines.reana import redaction

TOKENS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=30)
FORMS = st.sampled_from([str, quote, quote_plus, lambda text: quote(text, safe="")])


@given(TOKENS, st.lists(st.tuples(st.text(max_size=10), FORMS), min_size=1, max_size=4))
def test_no_form_of_a_token_is_left(token: str, parts: list) -> None:
    said = "".join(text + form(token) for text, form in parts)
    for form in (str, quote, quote_plus):
        assert form(token) not in redaction.words(said, token)
        assert form(token).encode() not in redaction.answer(said.encode("utf-8", "surrogatepass"), token)


def test_words_are_one_line_of_a_length_that_can_be_read() -> None:
    assert redaction.words("no\n\x1b[31mway \u2028 out", "secret-token") == "no [31mway out"
    assert len(redaction.words("word " * 1000, "")) == 500


def test_a_short_token_is_not_looked_for_in_logs() -> None:
    assert redaction.answer(b"a cat sat", "a") == b"a cat sat"
