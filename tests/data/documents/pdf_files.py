"""PDF files made by hand, so that tests know every byte of them."""


def pdf(pages: list[list[str]], title: str | None = None) -> bytes:
    """A PDF with these lines on its pages, Latin-1; a page without lines shows a grey square, as a scan would."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>"
        % (b" ".join(b"%d 0 R" % (4 + 2 * place) for place in range(len(pages))), len(pages)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for place, lines in enumerate(pages):
        shown = b"\n".join(b"(%s) Tj T*" % escaped(line) for line in lines)
        content = b"BT /F1 12 Tf 14 TL 72 720 Td\n%s\nET" % shown if lines else b"0.5 g 72 72 400 400 re f"
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * place)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    information = b""
    if title is not None:
        objects.append(b"<< /Title (%s) >>" % escaped(title))
        information = b" /Info %d 0 R" % len(objects)
    return assembled(objects, information)


def escaped(text: str) -> bytes:
    return text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def assembled(objects: list[bytes], information: bytes) -> bytes:
    """Header, numbered objects, the table of where each begins, trailer."""
    data = b"%PDF-1.4\n"
    places = []
    for number, each in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return (
        data
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            size,
            table,
            size,
            information,
            len(data),
        )
    )
