"""Turn equations into MathML, which browsers show without a script and without a network."""

from html import escape, unescape
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element

LIMITS = ("max", "min", "sup", "inf", "lim", "Pr", "argmax", "argmin")  # operators with their limits below them


def mathml(tex: str, display: str = "inline") -> str:
    """Return TeX as MathML, "inline" or "block"; text that is not valid TeX is returned as code."""
    try:
        math = convert_to_element(tex.strip(), display=display)
    except Exception:  # latex2mathml has its own exception for each mistake, and IndexError for some
        return f"<code>{escape(tex)}</code>"
    math.attrib.pop("xmlns", None)  # HTML knows <math> without it, and pages should not contain web addresses
    for element in math.iter():
        improve(element, display)
    return tostring(math, encoding="unicode")


def improve(element: Element, display: str) -> None:
    """Set an element as TeX would: limits below their operator, bars of one height, and ~ as an operator."""
    element.text = unescape(element.text or "")  # latex2mathml writes signs as HTML entities
    if display == "block" and element.tag == "msub" and element[0].text in LIMITS:
        element.tag = "munder"
    if element.tag == "mo" and element.text in ("\u2016", "|"):
        element.attrib.setdefault("stretchy", "false")
    if element.tag == "mi" and element.text == "~":
        element.tag, element.text = "mo", "\u223c"
