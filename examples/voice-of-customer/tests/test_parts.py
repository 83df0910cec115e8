"""The parts: words, sentiment, urgency, dates, clustering, agreement, the team of agents."""

import os
import random
import unittest
from functools import partial

import tests.support  # noqa: F401  (puts src on the path)
from voc import agreement, dates, merge, privacy, sentiment, team, topics, trends, urgency, vectors
from voc.text import stem, terms


class Words(unittest.TestCase):
    def test_forms_of_a_word_fall_together(self):
        self.assertEqual(len({stem(w) for w in ("charge", "charges", "charged", "charging")}), 1)
        self.assertNotEqual(stem("address"), stem("add"))

    def test_pairs_skip_one_stop_word_but_no_sentence(self):
        keys = [key for key, _ in terms("Cancel my subscription. Parcel top up")]
        self.assertIn("cancel subscription", keys)
        self.assertIn("top up", keys)
        self.assertNotIn("subscription parcel", keys)


class Sentiment(unittest.TestCase):
    def test_labels(self):
        for text, label in {
            "The app crashes all the time": "negative",
            "I love it, thank you!": "positive",
            "How do I change my address?": "neutral",
            "This is not great": "negative",
            "I never had a crash": "positive",
            "Please confirm by mail. Thank you in advance.": "neutral",
            "Still waiting for my refund": "negative",
        }.items():
            self.assertEqual(sentiment.feel(text).label, label, text)

    def test_score_stays_in_bounds(self):
        self.assertGreater(sentiment.feel("terrible awful horrible " * 50).score, -1.001)


class Urgency(unittest.TestCase):
    def test_needs_enough_signs(self):
        self.assertTrue(urgency.cues("Urgent: my card was stolen"))
        self.assertFalse(urgency.cues("I ordered today"))


class Privacy(unittest.TestCase):
    def test_masks_mail_and_long_numbers(self):
        self.assertEqual(privacy.mask("Mail ann@example.org or call +49 170 1234567, order 45511"), "Mail [mail] or call [number], order 45511")


class Dates(unittest.TestCase):
    def test_a_column_decides_the_order_of_day_and_month(self):
        (first, _), note = dates.parse_all(["03/04/2025", "25/04/2025"])
        self.assertEqual((first.day, first.month, note), (3, 4, ""))
        (first,), note = dates.parse_all(["03/04/2025"])
        self.assertEqual((first.day, first.month), (4, 3))
        self.assertIn("month/day", note)

    def test_iso_forms(self):
        values, _ = dates.parse_all(["2025-11-07", "2025-11-07T10:00:00Z", "2025-11-07T12:00:00.1234567+02:00", "soon", ""])
        self.assertEqual([v and v.hour for v in values], [0, 10, 10, None, None])


class Clustering(unittest.TestCase):
    def setUp(self):
        rng = random.Random(1)
        subjects = [
            "parcel late courier depot tracking doorbell neighbour customs box van".split(),
            "refund money bank return transfer statement amount receipt account balance".split(),
            "crash app phone screen update freeze version logo button tablet".split(),
            "voucher code checkout discount newsletter friend gift sister coupon bonus".split(),
        ]
        self.truth = [i % 4 for i in range(200)]
        self.texts = [" ".join(rng.sample(subjects[t], 5)) for t in self.truth]

    def test_finds_subjects_that_are_there_and_how_many(self):
        found = topics.find(self.texts, None, 2, 7, lambda share: None)
        self.assertEqual(len(found.labels), 4)
        self.assertGreater(agreement.mutual_information(found.groups, self.truth), 0.95)

    def test_same_seed_same_result(self):
        runs = [topics.find(self.texts, 6, 2, 3, lambda share: None) for _ in range(2)]
        self.assertEqual(runs[0], runs[1])

    def test_share_told_never_goes_back(self):
        told = []
        merge.find(vectors.build(self.texts).vectors, None, 3, 7, told.append)
        self.assertEqual(told, sorted(told))
        self.assertEqual(told[-1], 1.0)


class Agreement(unittest.TestCase):
    def test_ends_of_the_scale(self):
        a = [0, 0, 1, 1, 2, 2] * 20
        self.assertAlmostEqual(agreement.mutual_information(a, [x + 10 for x in a]), 1.0)
        self.assertEqual(agreement.purity(a, a), 1.0)
        self.assertLess(agreement.by_chance(a, a, 1)[1], 0.1)


class Trends(unittest.TestCase):
    def test_chance_is_no_trend(self):
        self.assertEqual(trends.compare(12, 9, "before").direction, "steady")
        self.assertEqual(trends.compare(30, 9, "before").direction, "rising")
        self.assertEqual(trends.compare(9, 30, "before").direction, "falling")


def add(n, voice, inputs):
    voice.log(f"adding {n}")
    voice.done(0.5)
    return n + sum(inputs.values())


def die(voice, inputs):
    os._exit(9)


def refuse(voice, inputs):
    raise ValueError("not with this data")


class Listener:
    def __init__(self):
        self.told = []

    def started(self, job):
        self.told.append(("started", job.name))

    def said(self, job, text):
        self.told.append(("said", job.name))

    def share(self, job, share):
        self.told.append(("share", job.name))

    def finished(self, job, result):
        self.told.append(("finished", job.name))

    def failed(self, job, reason):
        self.told.append(("failed", job.name, reason))


class Team(unittest.TestCase):
    def test_jobs_wait_for_what_they_need(self):
        jobs = [team.Job("sum", partial(add, 0), ("a", "b")), team.Job("a", partial(add, 1)), team.Job("b", partial(add, 2), ("a",))]
        for workers in (0, 1, 3):
            self.assertEqual(team.run(jobs, workers, Listener())["sum"], 4)

    def test_a_job_that_dies_is_told_and_those_that_need_it_are_lost(self):
        jobs = [team.Job("a", die, essential=False), team.Job("b", partial(add, 1), ("a",), essential=False), team.Job("c", partial(add, 5))]
        listener = Listener()
        self.assertEqual(team.run(jobs, 2, listener), {"c": 5})
        failed = {entry[1]: entry[2] for entry in listener.told if entry[0] == "failed"}
        self.assertIn("code 9", failed["a"])
        self.assertEqual(failed["b"], "it needs a")

    def test_an_essential_job_that_fails_ends_the_run(self):
        for workers in (0, 2):
            with self.assertRaisesRegex(team.Broken, "a: not with this data"):
                team.run([team.Job("a", refuse), team.Job("b", partial(add, 1))], workers, Listener())


if __name__ == "__main__":
    unittest.main()
