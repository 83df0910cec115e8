"""A bad input ends with code 2 and one sentence that names the option and what to do."""

import unittest

from tests.support import EngineTest


class BadInput(EngineTest):
    def refuse(self, *args, says, stdin=b""):
        engine = self.run_engine(*args, stdin=stdin)
        self.assertEqual(self.code, 2, engine.err)
        self.assertTrue(engine.err.startswith("error: "), engine.err)
        self.assertEqual(engine.err.count("\n"), 1, engine.err)
        for part in says:
            self.assertIn(part, engine.err)
        self.assertFalse((engine.output / "report.html").exists())

    def test_no_command(self):
        self.refuse(says=["command", "--help"])

    def test_unknown_option(self):
        self.refuse("voice-of-customer", "--colour", "red", says=["--colour", "--help"])

    def test_unknown_period(self):
        self.refuse("voice-of-customer", "--time-period", "fortnight", says=["--time-period", "fortnight", "quarter"])

    def test_unknown_model(self):
        self.refuse("voice-of-customer", "--ai-model", "oracle", says=["--ai-model", "openai"])

    def test_number_out_of_range(self):
        self.refuse("voice-of-customer", "--topics", "0", says=["--topics 0", "from 2 to 200"])

    def test_missing_file(self):
        self.refuse("voice-of-customer", "--input", "nowhere.csv", says=["--input nowhere.csv", "no such file"])

    def test_directory(self):
        self.refuse("voice-of-customer", "--input", str(self.directory), says=["--input", "not a file"])

    def test_empty_file(self):
        self.refuse("voice-of-customer", "--input", self.write("e.csv", ""), says=["--input", "no messages"])

    def test_unknown_column(self):
        path = self.write("a.csv", "text,date\nhello,2025-01-01\n")
        self.refuse("voice-of-customer", "--input", path, "--text-column", "body", says=["--text-column body", "text, date"])

    def test_column_that_holds_no_dates(self):
        path = self.write("a.csv", "text,date\nhello,red\nworld,blue\n")
        self.refuse("voice-of-customer", "--input", path, "--date-column", "date", says=["--date-column date", "'red'", "2025-11-07"])

    def test_column_without_text(self):
        path = self.write("a.csv", "text,date\n,2025-01-01\n")
        self.refuse("voice-of-customer", "--input", path, says=["--text-column text", "no text"])

    def test_broken_json_on_stdin(self):
        self.refuse("voice-of-customer", "--input", "-", stdin=b'{"messages": [', says=["--input stdin", "JSON"])

    def test_binary_file(self):
        self.refuse("voice-of-customer", "--input", self.write("a.xlsx", "PK\0\0abc"), says=["--input a.xlsx", "CSV"])


if __name__ == "__main__":
    unittest.main()
