"""Uses each library that /app/requirements.txt of the image asks for, and the one that comes with it."""

import io
import os
import re
import sys

from longhaul import engine


def use_cffi():
    import cffi

    c = cffi.FFI()
    c.cdef("int abs(int n);")
    assert c.dlopen(None).abs(-7) == 7


def use_openpyxl():
    import openpyxl

    book = openpyxl.Workbook()
    book.active["A1"] = 42
    book.save(os.path.join(os.environ["EXECUTION_OUTPUT_DIR"], "book.xlsx"))


PDF = b"""%PDF-1.4
1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj
2 0 obj <</Type /Pages /Kids [3 0 R] /Count 1>> endobj
3 0 obj <</Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R /Resources <</Font <</F1 5 0 R>>>>>> endobj
4 0 obj <</Length 40>> stream
BT /F1 24 Tf 20 100 Td (Longhaul) Tj ET
endstream endobj
5 0 obj <</Type /Font /Subtype /Type1 /BaseFont /Helvetica>> endobj
trailer <</Root 1 0 R>>
"""


def use_pdfplumber():
    import pdfplumber

    with pdfplumber.open(io.BytesIO(PDF)) as pdf:
        assert "Longhaul" in pdf.pages[0].extract_text()


with open("/app/requirements.txt") as f:
    for line in f:
        name = re.match(r"[A-Za-z0-9_.-]*", line).group()
        if name:
            globals()["use_" + name]()
            print("used", name, flush=True)
engine.progress(100)
print("python", ".".join(map(str, sys.version_info[:2])), flush=True)
