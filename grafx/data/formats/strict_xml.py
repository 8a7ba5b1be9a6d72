"""XML from anywhere, of which nothing is believed."""

from collections import Counter
from xml.parsers import expat

from ...errors import GraphError

MAX_DEPTH = 100


def scan_xml(content: bytes) -> Counter[str]:
    """Count elements by name, and refuse malicious content.

    Raises:
        GraphError: It has a document type declaration, which allows entity expansion attacks, or is nested too deeply.
        ExpatError: It is not XML.
    """
    open_elements, found = [], Counter()

    def enter(name: str, _: dict) -> None:
        open_elements.append(name)
        found[name.rpartition(" ")[2]] += 1
        if len(open_elements) > MAX_DEPTH:
            raise GraphError(f"its elements are nested more than {MAX_DEPTH} deep")

    def refuse(*_) -> None:
        raise GraphError("it has a document type declaration, which could define entities: remove <!DOCTYPE ...>")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = enter
    parser.EndElementHandler = lambda _: open_elements.pop()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(content, True)
    return found
