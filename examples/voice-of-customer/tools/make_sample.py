#!/usr/bin/env python3
"""Write data/messages.csv: three weeks of invented mail to an invented coffee subscription.

The shop, the people and the messages do not exist. Every sentence below was written by hand;
this script only combines them, so that the sample can be made again and its story is known:

* the app's release 5.2 (on the Tuesday of the last week) makes it crash: a sudden rise;
* parcels are late in the last week, after a slow start: a steady rise;
* sign-in codes failed in the first week and were repaired: a fall;
* everything else comes evenly.

An analysis that is any good finds this story again. Run it with no arguments.
"""

import csv
import random
from datetime import date, datetime, timedelta
from pathlib import Path

FIRST_DAY = date(2025, 10, 20)  # a Monday
DAYS = 21
TARGET = Path(__file__).resolve().parent.parent / "data" / "messages.csv"

# subject: (cores, follow-ups, messages on an ordinary day in week 1, 2, 3)
# A message is one core sentence and, mostly, one follow-up.
SUBJECTS = {
    "crash": (
        [
            "The app crashes every time I open my basket.",
            "Since the update to 5.2 the app crashes as soon as it starts.",
            "App closes itself when I tap on checkout.",
            "Your new version freezes on the start screen and then crashes.",
            "After the latest update the app is unusable on my {phone}.",
            "The app crashed {times} today while I tried to change my order.",
            "Version 5.2 keeps crashing on my {phone}.",
            "I can't open the app any more, it crashes right after the logo.",
            "The app hangs on a white screen and has to be killed.",
            "Every tap on 'my subscription' crashes the app.",
            "App froze in the middle of payment and then crashed.",
            "Ever since the update the app crashes on my {phone} when I scroll the shop page.",
        ],
        [
            "I reinstalled it and it still crashes.",
            "It worked perfectly before the update.",
            "Please bring the old version back.",
            "Restarting the phone does not help.",
            "Is anyone testing these releases?",
            "I had to order on the website instead.",
            "Already sent {times} crash reports.",
            "This is really annoying.",
        ],
        (1.2, 1.4, 11.0),
    ),
    "late delivery": (
        [
            "My parcel was due on {weekday} and still has not arrived.",
            "The delivery is {days} days late and tracking has not moved.",
            "Where is my order {order}? It should have been delivered last week.",
            "Tracking says out for delivery since {weekday}, but no parcel came.",
            "Still waiting for my coffee, the courier keeps changing the delivery date.",
            "My delivery is late again, the second time this month.",
            "The parcel has been stuck at the depot for {days} days.",
            "Order {order} was shipped {days} days ago and nothing has arrived.",
            "The tracking link shows no movement since {weekday}.",
            "The courier says delivered, but there is no parcel at my door.",
            "Can you tell me when my delivery will arrive? Tracking shows nothing.",
            "No delivery again today, although the tracking promised it.",
        ],
        [
            "I have run out of coffee because of this.",
            "The courier does not answer the phone.",
            "Please find out where the parcel is.",
            "I needed it for guests on the weekend.",
            "It is a gift, so I need it urgently.",
            "Nobody told me about the delay.",
            "Can you send it again by another courier?",
            "I stayed at home all day for nothing.",
        ],
        (3.0, 5.0, 7.5),
    ),
    "damaged": (
        [
            "The bag was torn and half of the beans were in the box.",
            "My grinder arrived broken.",
            "The parcel came completely crushed and the jar was broken.",
            "I received the wrong beans: I ordered {roast} and got decaf.",
            "Wrong item in the box, I ordered whole beans and got ground coffee.",
            "One of the two bags was missing from the box.",
            "The beans in this box taste stale, roast date is {days} weeks old.",
            "The glass of the coffee maker was broken when I opened the box.",
            "The box was wet and the bags inside were damaged.",
            "I got somebody else's box with the wrong beans.",
        ],
        [
            "Please send a replacement.",
            "I have photos of the damaged box.",
            "The packaging is much too thin.",
            "What shall I do with the wrong bag?",
            "Do I have to send the broken one back?",
            "That should not happen at this price.",
        ],
        (2.0, 2.2, 2.0),
    ),
    "sign-in": (
        [
            "I can't log in, the sign-in code never arrives.",
            "The code for logging in comes an hour later and has expired by then.",
            "Password reset mail does not arrive, I checked the spam folder.",
            "I am locked out of my account, I entered the wrong code {times}.",
            "Login says my password is wrong although I just reset it.",
            "No text message with the login code, I tried {times}.",
            "I changed my phone number and now I can't receive the sign-in code.",
            "The login page sends me back to the login page after I enter the code.",
            "The password reset link says it is expired.",
            "I can't get into my account, your page says 'unknown code'.",
        ],
        [
            "I need to change my address before the next box goes out.",
            "Please unlock my account.",
            "Why can't I simply use my password?",
            "I requested a new code {times}.",
            "Can you log me in some other way?",
            "My mail address is correct, I checked.",
        ],
        (6.5, 2.5, 1.2),
    ),
    "billing": (
        [
            "I was charged twice for the same box this month.",
            "There is a charge of {money} on my card that I don't recognise.",
            "You charged my card although I had paused the subscription.",
            "The invoice for order {order} shows the wrong amount.",
            "Why was I billed {money} instead of {money2}?",
            "I paid twice, once by card and once by PayPal.",
            "Can you send me an invoice with my company's VAT number?",
            "My card was charged before the box was even shipped.",
            "The invoice does not show the discount, I was charged the full {money}.",
            "My payment was declined but the money has left my account.",
            "There are two charges of {money} from {weekday} on my statement.",
        ],
        [
            "Please correct the invoice.",
            "Please cancel one of the two charges.",
            "My bank says the charge comes from you.",
            "I need the invoice for my taxes.",
            "This is the second time this happens.",
            "How can that be?",
        ],
        (3.4, 3.2, 3.6),
    ),
    "refund": (
        [
            "I am still waiting for my refund of {money}.",
            "You promised a refund {days} days ago and nothing has come.",
            "When will I get my money back for the broken grinder?",
            "The refund for order {order} has not reached my account.",
            "I sent the parcel back {days} days ago and have no refund yet.",
            "Only part of the refund arrived, {money} is missing.",
            "Support told me the refund takes five days, it is now {days} days.",
            "I want a refund for the box that never arrived.",
            "My refund was sent to a card that I no longer have.",
        ],
        [
            "I have asked {times} now.",
            "I will call my bank for a chargeback if it does not come this week.",
            "Please tell me the date of the transfer.",
            "That is not acceptable.",
            "You have had my return for {days} days.",
            "Please confirm the refund by mail.",
        ],
        (2.4, 2.4, 2.8),
    ),
    "cancel": (
        [
            "How do I cancel my subscription?",
            "I want to cancel my subscription before the next payment.",
            "I can't find the button to pause my subscription.",
            "Please cancel my plan, we drink less coffee now.",
            "I cancelled my subscription last month and still got a box.",
            "Is it possible to pause the subscription for {days} weeks?",
            "I would like to change my plan from weekly to monthly.",
            "Can I skip one box while I am on holiday?",
            "The page to cancel the subscription only shows an error.",
        ],
        [
            "The help page says there is a button, but I don't see it.",
            "Please confirm by mail.",
            "We are away for {days} weeks.",
            "It should be easier to cancel.",
            "I may come back next year.",
            "Thank you in advance.",
        ],
        (2.6, 2.4, 2.6),
    ),
    "voucher": (
        [
            "The voucher code from your newsletter does not work.",
            "My discount code is rejected at checkout.",
            "The gift card shows a balance of zero, although it is new.",
            "How do I use two voucher codes in one order?",
            "The code {code} says expired, but your mail says it is valid until {weekday}.",
            "I forgot to enter my discount code, can you add it to order {order}?",
            "My friend used my invitation code and I did not get the discount.",
            "The gift card that I bought for my sister can't be redeemed.",
        ],
        [
            "I tried it in capital letters too.",
            "Can you take it off the next invoice?",
            "The minimum order value is reached.",
            "I ordered only because of the discount.",
            "Please send me a new code.",
        ],
        (2.0, 2.2, 1.8),
    ),
    "support": (
        [
            "I have been waiting on the hotline for {minutes} minutes.",
            "Nobody answers my mails to support.",
            "The chat closed on me after {minutes} minutes of waiting.",
            "Your chat bot does not understand me, I want to talk to a person.",
            "Support answered with a text that has nothing to do with my question.",
            "I wrote to support {times} and got no reply.",
            "Every agent on the hotline tells me something different.",
        ],
        [
            "Please have somebody call me back.",
            "This is poor service.",
            "My ticket was closed without an answer.",
            "I am a customer since the first year and expected better.",
            "How can I reach a real person?",
        ],
        (1.8, 1.8, 2.6),
    ),
    "wishes": (
        [
            "It would be great to have a dark mode in the app.",
            "Could you offer smaller bags of {roast}?",
            "Please add a way to rate the beans in the app.",
            "I would love a box with only {roast} roasts.",
            "Do you plan compostable bags?",
            "A feature to send a single box as a gift would be great.",
            "Please add Apple Pay at checkout.",
            "Could you show the roast date on the shop page?",
            "I wish I could choose the delivery day myself.",
        ],
        [
            "Otherwise I like the shop very much.",
            "Many of my friends ask for the same.",
            "Just an idea.",
            "I would order more often then.",
        ],
        (1.8, 2.0, 1.6),
    ),
    "praise": (
        [
            "The {roast} is the best coffee I ever had at home.",
            "Wonderful beans, fresh and fragrant, thank you!",
            "Super fast delivery and lovely packaging.",
            "Big thanks to {name} from support, very friendly and helpful.",
            "Love the {roast}, my whole family is happy with it.",
            "Great service, the replacement arrived the next day.",
            "The tasting notes are a delight, I learn something every month.",
            "Excellent quality, I recommended you to my colleagues.",
            "Perfect gift, my father was delighted with the tasting box.",
            "The new {roast} beans are delicious, please keep them.",
        ],
        [
            "Keep it up!",
            "I will gladly order again.",
            "Five stars.",
            "You made my morning.",
            "Thanks to the whole team.",
            "Best subscription I have.",
        ],
        (4.6, 4.6, 4.2),
    ),
    "account": (
        [
            "I moved house, how do I change my delivery address?",
            "Please change my address for order {order}, I typed the wrong street.",
            "How can I change the mail address of my account?",
            "I want to delete my account and all my data.",
            "My new address is not accepted, the form says invalid postcode.",
            "Can you merge my two accounts?",
            "The address change was not saved, the box went to my old address.",
        ],
        [
            "The next box goes out on {weekday}.",
            "The form does not let me save it.",
            "I need this done today.",
            "Please confirm the new address.",
        ],
        (1.8, 1.8, 1.8),
    ),
}

OPENERS = ["Hello, ", "Hi, ", "Hi team, ", "Dear team, ", "Good morning, ", "Hey, "]
CLOSERS = [" Thanks.", " Thank you, {name}", " Regards, {name}", " Best wishes, {name}", " Please help!", " Please reply soon."]
SLOTS = {
    "phone": ["Pixel 8", "iPhone 13", "Galaxy S22", "iPad", "iPhone 15", "Fairphone"],
    "times": ["twice", "three times", "four times", "five times"],
    "weekday": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
    "days": ["three", "four", "five", "six", "eight", "ten"],
    "minutes": ["20", "25", "30", "40", "50"],
    "money": ["18.90", "24.50", "29.00", "37.80", "42.00"],
    "money2": ["14.90", "19.90", "21.00"],
    "roast": ["Ethiopian", "house blend", "Kenyan", "Colombian", "Sumatra", "espresso"],
    "code": ["AUTUMN10", "WELCOME5", "BEANS15"],
    "name": ["Maria", "Tom", "Aisha", "Jonas", "Priya", "Luca", "Helen", "Sam", "Nadia", "Ben"],
}
CHANNELS = [("email", 40), ("chat", 27), ("app review", 18), ("social", 15)]


def fill(sentence: str, rng: random.Random) -> str:
    """Replace each {slot} by one of its values; order numbers are drawn fresh."""
    values = {slot: rng.choice(choices) for slot, choices in SLOTS.items()}
    return sentence.format(order=rng.randrange(40000, 69999), **values)


def compose(cores: list, extras: list, channel: str, rng: random.Random) -> str:
    """Join sentences the way people write on that channel: greetings in mail, haste in chat."""
    text = fill(rng.choice(cores), rng)
    if rng.random() < 0.72:
        text += " " + fill(rng.choice(extras), rng)
    if channel == "email":
        if rng.random() < 0.6:
            opener = rng.choice(OPENERS)
            text = opener + (text if text.startswith("I ") else text[0].lower() + text[1:])
        if rng.random() < 0.6:
            text += fill(rng.choice(CLOSERS), rng)
    elif channel == "chat" and rng.random() < 0.45:
        text = text.lower().rstrip(".")
    elif channel in ("app review", "social") and rng.random() < 0.12:
        text = text.rstrip(".") + "!!"
    return text


def messages(rng: random.Random):
    """Yield (time, channel, text); no text twice."""
    seen = set()
    names, weights = zip(*CHANNELS)
    for day in range(DAYS):
        today = FIRST_DAY + timedelta(days=day)
        quiet = 0.6 if today.weekday() >= 5 else 1.0  # people write less at the weekend
        for subject, (cores, extras, per_week) in SUBJECTS.items():
            rate = per_week[day // 7]
            if subject == "crash" and day // 7 == 2 and today.weekday() < 1:
                rate = per_week[1]  # release 5.2 comes on the Tuesday
            mean = rate * quiet
            count = int(mean) + (rng.random() < mean - int(mean))
            for _ in range(count):
                channel = rng.choices(names, weights)[0]
                if subject == "crash" and rng.random() < 0.5:
                    channel = "app review"
                text = compose(cores, extras, channel, rng)
                if text.lower() in seen:
                    continue
                seen.add(text.lower())
                minute = int(rng.triangular(6 * 60, 23 * 60 + 59, 19 * 60))
                moment = datetime(today.year, today.month, today.day, minute // 60, minute % 60)
                yield moment, channel, text


def main() -> None:
    rows = sorted(messages(random.Random(52)))
    TARGET.parent.mkdir(exist_ok=True)
    with TARGET.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["date", "channel", "text"])
        for moment, channel, text in rows:
            writer.writerow([moment.isoformat(timespec="minutes"), channel, text])
    print(f"{len(rows)} messages in {TARGET.name}")


if __name__ == "__main__":
    main()
