"""A model that is configured is used; one that fails is done without."""

import json
import unittest

from tests.support import THE_COMMAND, EngineTest, FakeModel

KEY = "sk-loopback-only"


class WithModel(EngineTest):
    def model(self, answer):
        fake = FakeModel(answer)
        self.addCleanup(fake.close)
        return fake, {"OPENAI_BASE_URL": fake.url, "OPENAI_API_KEY": KEY, "OPENAI_MODEL": "tiny"}

    def test_its_names_and_summary_are_in_the_report(self):
        def answer(body):
            if "You name groups" in body["messages"][0]["content"]:
                topics = json.loads(body["messages"][1]["content"])
                return 200, "Here you are:\n```json\n" + json.dumps({"labels": {str(t["id"]): f"Name <{t['id']}>" for t in topics}}) + "\n```"
            return 200, "A summary from the model."

        fake, env = self.model(answer)
        engine = self.run_engine(*THE_COMMAND, env=env)
        self.assertEqual(self.code, 0, engine.err)
        self.assertEqual(len(fake.asked), 2)
        self.assertEqual(set(fake.keys), {f"Bearer {KEY}"})
        self.assertEqual(fake.asked[0]["model"], "tiny")
        result = engine.result
        self.assertEqual(result["topics"][0]["label"], "Name <1>")
        self.assertEqual(result["summary"], "A summary from the model.")
        self.assertEqual(result["model"], "tiny")
        self.assertIn("Name &lt;1&gt;", engine.artifact("report.html"))
        self.assertIn({"type": "redact", "value": KEY}, engine.events)
        self.assertNotIn(KEY, engine.out + engine.err + json.dumps(result))

    def test_an_error_is_tried_again_then_done_without(self):
        fake, env = self.model(lambda body: (503, "busy"))
        engine = self.run_engine(*THE_COMMAND, env=env)
        self.assertEqual(self.code, 0, engine.err)
        self.assertEqual(len(fake.asked), 3)
        self.assertIn("could not be used: the endpoint answered 503", engine.err)
        self.assertEqual(engine.result["model"], "none")
        self.assertIn("messages were read", engine.result["summary"])

    def test_a_refused_key_is_not_tried_again(self):
        fake, env = self.model(lambda body: (401, "no"))
        engine = self.run_engine(*THE_COMMAND, env=env)
        self.assertEqual(self.code, 0, engine.err)
        self.assertEqual(len(fake.asked), 1)

    def test_nonsense_is_not_used(self):
        fake, env = self.model(lambda body: (200, "I would rather not."))
        engine = self.run_engine(*THE_COMMAND, env=env)
        self.assertEqual(self.code, 0, engine.err)
        self.assertIn("not the JSON that was asked for", engine.err)
        self.assertEqual(engine.result["model"], "none")

    def test_nobody_listening(self):
        engine = self.run_engine(*THE_COMMAND, env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
        self.assertEqual(self.code, 0, engine.err)
        self.assertIn("could not be used", engine.err)

    def test_a_near_deadline_leaves_no_time_for_a_model(self):
        fake, env = self.model(lambda body: (200, "late"))
        from datetime import datetime, timedelta, timezone

        soon = (datetime.now(timezone.utc) + timedelta(seconds=9)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
        engine = self.run_engine(*THE_COMMAND, env={**env, "EXECUTION_DEADLINE": soon})
        self.assertEqual(self.code, 0, engine.err)
        self.assertEqual(fake.asked, [])
        self.assertIn("no time left", engine.err)


if __name__ == "__main__":
    unittest.main()
