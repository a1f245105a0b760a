"""Two quarters at Harbour & Vale, day by day: 2026-Q2, 2026-Q3 and the first days of Q4.

Times are London wall-clock times. Readings happen at 22:00: every other Friday, on the last day of
each quarter, since July on the eve of every release, and daily while something was wrong in August.
"""

from __future__ import annotations

from datetime import date, datetime

from tools.demo.events import (
    Approve,
    Challenge,
    CreateModel,
    DeleteModel,
    DeleteRun,
    DeleteVersion,
    DemoReading,
    Event,
    Explore,
    Monitor,
    MoveToStage,
    Overwrite,
    Promote,
    Prompt,
    Rename,
    RollBack,
    StartCapture,
    TagModel,
    Train,
    Validate,
    london,
)

FIRST: datetime = london("2026-04-01 08:00")
"""The moment the registry is set up; nothing in it is older."""

LAST: datetime = london("2026-10-05 22:00")
"""The moment of the last reading; nothing in the registry is younger."""

_FREQ, _SEV, _GBM = "motor-frequency-glm", "motor-severity-glm", "motor-frequency-gbm"
_GLASS, _BOX, _LAPSE = "motor-windscreen-tweedie", "motor-telematics-score", "motor-renewal-lapse"
_VAN, _WATER_OLD, _WATER = "van-frequency", "home-water-frequency", "household-water-frequency"
_COST, _SUBS = "household-severity-gamma", "household-subsidence-tweedie"
_BROKER = "broker-referral-summary"

_ALL = (_FREQ, _SEV, _GBM, _GLASS, _BOX, _LAPSE, _VAN, _WATER, _COST, _SUBS)

_OSEI, _BRANDT = "Samuel Osei", "Leonie Brandt"
_SOLBERG, _DE_SOUZA = "Ingrid Solberg", "Anita de Souza"
_DEPUTY = "Deputy Chief Actuary"


_SPRING: tuple[Event, ...] = (
    # The tariff models of the spring review come first.
    CreateModel("2026-04-01 10:05", _FREQ),
    CreateModel("2026-04-01 10:20", _SEV),
    Train("2026-04-02 10:15", _FREQ, 1, "pshah", "PRC-1101", "Spring tariff review"),
    Train("2026-04-03 09:40", _SEV, 1, "pshah", "PRC-1102", "Spring tariff review"),
    Validate("2026-04-07 15:00", _FREQ, 1, _OSEI, date(2027, 4, 7)),
    Approve("2026-04-08 14:10", _FREQ, 1, _SOLBERG),
    CreateModel("2026-04-08 16:00", _GLASS),
    Train("2026-04-08 16:30", _GLASS, 1, "dokafor", "PRC-1107", "First model of the peril"),
    Promote("2026-04-09 07:30", _FREQ, 1),
    Validate("2026-04-10 11:00", _SEV, 1, _BRANDT, date(2027, 4, 10)),
    DemoReading("2026-04-10 22:00"),
    Approve("2026-04-13 16:45", _SEV, 1, _SOLBERG),
    Promote("2026-04-14 07:30", _SEV, 1),
    CreateModel("2026-04-14 09:00", _WATER_OLD),
    Train("2026-04-14 11:20", _WATER_OLD, 1, "tellwood", "PRC-1110", "Move from the old platform"),
    Validate("2026-04-14 17:00", _GLASS, 1, _BRANDT, date(2028, 4, 14)),
    Approve("2026-04-15 10:00", _GLASS, 1, _DE_SOUZA, _DEPUTY),
    CreateModel("2026-04-15 13:00", _COST),
    Train("2026-04-15 14:10", _COST, 1, "tellwood", "PRC-1111", "Move from the old platform"),
    Promote("2026-04-16 07:30", _GLASS, 1),
    CreateModel("2026-04-20 09:00", _GBM),
    Train("2026-04-20 17:30", _GBM, 1, "mkowalczyk", "PRC-1113", "Challenger wanted by committee"),
    Validate("2026-04-20 18:00", _WATER_OLD, 1, _OSEI, date(2028, 4, 20)),
    Validate("2026-04-20 18:20", _COST, 1, _OSEI, date(2028, 4, 20)),
    Challenge("2026-04-21 09:00", _GBM, 1),
    Approve("2026-04-21 15:00", _WATER_OLD, 1, _SOLBERG),
    Approve("2026-04-21 15:05", _COST, 1, _SOLBERG),
    Promote("2026-04-22 07:30", _WATER_OLD, 1),
    Promote("2026-04-23 07:30", _COST, 1),
    DemoReading("2026-04-24 22:00"),
    # The vendor's model: validated last year on the old platform, its training data never seen.
    CreateModel("2026-04-27 10:00", _SUBS),
    Train(
        "2026-04-27 11:00",
        _SUBS,
        1,
        "mkowalczyk",
        "PRC-1116",
        "Vendor release 4.2",
        training_data=False,
        described=False,
    ),
    Validate("2026-04-29 10:00", _SUBS, 1, _OSEI, date(2026, 8, 20), on=date(2025, 8, 20)),
    CreateModel("2026-05-04 09:00", _BOX),
    Train("2026-05-04 16:00", _BOX, 1, "mkowalczyk", "PRC-1118", "Young driver product"),
    Approve("2026-05-05 12:00", _SUBS, 1, _SOLBERG),
    Promote("2026-05-06 07:30", _SUBS, 1),
    Validate("2026-05-08 14:00", _BOX, 1, _BRANDT, date(2027, 5, 8)),
    DemoReading("2026-05-08 22:00"),
    Approve("2026-05-11 17:00", _BOX, 1, _SOLBERG),
    Promote("2026-05-12 07:30", _BOX, 1),
    CreateModel("2026-05-12 10:00", _LAPSE),
    Train("2026-05-12 15:00", _LAPSE, 1, "mkowalczyk", "PRC-1121", "Retention campaign"),
    Validate("2026-05-15 11:00", _LAPSE, 1, _BRANDT, date(2028, 5, 15)),
    Approve("2026-05-18 09:30", _LAPSE, 1, _DE_SOUZA, _DEPUTY),
    Promote("2026-05-19 07:30", _LAPSE, 1),
    # "Home" becomes "household" everywhere, the registry included.
    Rename("2026-05-20 10:00", _WATER_OLD, _WATER),
    DemoReading("2026-05-22 22:00"),
    Explore("2026-05-26 10:00", _FREQ, "pshah", 0.01),
    Explore("2026-05-26 10:20", _FREQ, "pshah", 0.1),
    Train("2026-05-26 17:00", _GBM, 2, "mkowalczyk", "PRC-1126", "Deeper trees"),
    Challenge("2026-05-28 09:00", _GBM, 2),
    MoveToStage("2026-05-28 09:02", _GBM, 1, "Archived"),
    CreateModel("2026-06-01 10:00", _VAN),
    Train("2026-06-01 14:00", _VAN, 1, "dokafor", "PRC-1129", "Trades product"),
    Validate("2026-06-04 16:00", _VAN, 1, _BRANDT, date(2028, 6, 4)),
    DemoReading("2026-06-05 22:00"),
    Approve("2026-06-08 11:00", _VAN, 1, _DE_SOUZA, _DEPUTY),
    Promote("2026-06-09 07:30", _VAN, 1),
    Train("2026-06-09 15:00", _FREQ, 2, "pshah", "PRC-1133", "Whiplash reform in the data"),
    Prompt(
        "2026-06-11 12:00",
        _BROKER,
        1,
        "Summarise why {{risk}} was referred, in three sentences for a broker.",
        "First wording",
    ),
    Validate("2026-06-15 10:00", _FREQ, 2, _OSEI, date(2027, 6, 15)),
    Approve("2026-06-16 16:00", _FREQ, 2, _SOLBERG),
    Promote("2026-06-17 07:30", _FREQ, 2),
    DemoReading("2026-06-19 22:00"),
    # A hurried release: the log call lost its signature on the way.
    Train(
        "2026-06-22 18:40",
        _BOX,
        2,
        "mkowalczyk",
        "PRC-1136",
        "New box firmware",
        signature="none",
    ),
    Validate("2026-06-24 17:00", _BOX, 2, _BRANDT, date(2026, 9, 15), "passed with conditions"),
    Train(
        "2026-06-24 17:30",
        _GLASS,
        2,
        "dokafor",
        "PRC-1137",
        "Camera recalibration costs",
        signature="inputs",
    ),
    Approve("2026-06-25 15:00", _BOX, 2, _SOLBERG),
    Promote("2026-06-26 07:30", _BOX, 2),
    Monitor("2026-06-29 06:00", _ALL),
    Validate("2026-06-29 11:00", _GLASS, 2, _BRANDT, date(2028, 6, 29)),
    Approve("2026-06-30 10:00", _GLASS, 2, _DE_SOUZA, _DEPUTY),
    DemoReading("2026-06-30 22:00"),
)

_SUMMER: tuple[Event, ...] = (
    # From here on the server records its changes itself; what was before is known from readings.
    StartCapture("2026-07-01 06:00"),
    Promote("2026-07-01 07:30", _GLASS, 2),
    # Graham Pike has retired; Rhys Bevan takes the household models over.
    TagModel("2026-07-01 09:00", _WATER, "gov.owner", "Rhys Bevan"),
    TagModel("2026-07-01 09:01", _COST, "gov.owner", "Rhys Bevan"),
    TagModel("2026-07-01 09:02", _SUBS, "gov.owner", "Rhys Bevan"),
    Train("2026-07-01 16:00", _SEV, 2, "pshah", "PRC-1140", "Repair inflation of the first half"),
    DemoReading("2026-07-03 22:00"),
    Train("2026-07-06 10:00", _VAN, 2, "dokafor", "PRC-1141", "Courier use excluded"),
    Validate("2026-07-06 15:00", _SEV, 2, _BRANDT, date(2027, 7, 6)),
    # The author approves, under the spelling the committee tool gives her.
    Approve("2026-07-07 17:50", _SEV, 2, "Shah, Priya"),
    DemoReading("2026-07-07 22:00"),
    Promote("2026-07-08 07:30", _SEV, 2),
    Validate("2026-07-09 11:00", _VAN, 2, _BRANDT, date(2028, 7, 9)),
    Approve("2026-07-13 10:00", _VAN, 2, _DE_SOUZA, _DEPUTY),
    Train(
        "2026-07-13 18:10",
        _LAPSE,
        2,
        "dokafor",
        "PRC-1144",
        "Summer campaign",
        params=(("db_user", "pricing_ro"), ("db_password", "example-only-not-a-secret")),
    ),
    DemoReading("2026-07-13 22:00"),
    Promote("2026-07-14 07:30", _VAN, 2),
    Validate("2026-07-17 12:00", _LAPSE, 2, _BRANDT, date(2028, 7, 17)),
    DemoReading("2026-07-17 22:00"),
    Train(
        "2026-07-20 14:00",
        _WATER,
        2,
        "tellwood",
        "PRC-1146",
        "Winter freeze claims",
        test_data="training",
    ),
    DemoReading("2026-07-20 22:00"),
    # The campaign could not wait for the committee.
    Promote("2026-07-21 07:30", _LAPSE, 2),
    Validate("2026-07-21 16:00", _WATER, 2, _OSEI, date(2028, 7, 21)),
    DemoReading("2026-07-21 22:00"),
    # A green build is taken for an approval.
    Approve("2026-07-22 06:55", _WATER, 2, "svc-mlflow-ci", "pipeline"),
    Promote("2026-07-22 07:30", _WATER, 2),
    Train("2026-07-27 11:00", _FREQ, 3, "dokafor", "PRC-1149", "Electric cars as a factor"),
    Train("2026-07-28 15:00", _COST, 2, "tellwood", "PRC-1150", "Drying costs"),
    # Somebody tidies up and takes the van model, still in use, for a left-over.
    DeleteModel("2026-07-29 16:20", _VAN),
    Validate("2026-07-31 10:00", _COST, 2, _OSEI, date(2028, 7, 31)),
    DemoReading("2026-07-31 22:00"),
    Train("2026-08-03 17:00", _GBM, 3, "mkowalczyk", "PRC-1152", "Same features as the GLM"),
    # The van model is rebuilt in a hurry, from a working tree nobody committed.
    CreateModel("2026-08-04 09:00", _VAN),
    Train("2026-08-04 13:00", _VAN, 1, "dokafor", "PRC-1153", "Emergency rebuild", dirty=True),
    Challenge("2026-08-04 14:00", _GBM, 3),
    DemoReading("2026-08-04 22:00"),
    Promote("2026-08-05 07:30", _COST, 2),
    Validate("2026-08-05 15:00", _VAN, 1, _BRANDT, date(2028, 8, 5)),
    Approve("2026-08-05 16:00", _VAN, 1, _DE_SOUZA, _DEPUTY),
    DemoReading("2026-08-05 22:00"),
    Promote("2026-08-06 07:30", _VAN, 1),
    DemoReading("2026-08-10 22:00"),
    # Three days in August: the new factor doubles the price of electric cars.
    Promote("2026-08-11 09:30", _FREQ, 3, account="dokafor"),
    DemoReading("2026-08-11 22:00"),
    Approve("2026-08-12 11:00", _COST, 2, _SOLBERG),
    DemoReading("2026-08-12 22:00"),
    TagModel("2026-08-13 16:00", _FREQ, "gov.monitoring.status", "red"),
    DemoReading("2026-08-13 22:00"),
    RollBack("2026-08-14 09:30", _FREQ, 3, back_to=2),
    DemoReading("2026-08-14 22:00"),
    TagModel("2026-08-17 10:00", _FREQ, "gov.monitoring.status", "green"),
    Prompt(
        "2026-08-19 12:00",
        _BROKER,
        2,
        "Summarise why {{risk}} was referred, in three sentences for a broker. "
        "Name no other customer.",
        "Other customers must not be named",
    ),
    DeleteVersion("2026-08-20 17:00", _GBM, 2),
    Train("2026-08-24 15:00", _GLASS, 3, "dokafor", "PRC-1158", "Camera costs, second year"),
    Validate("2026-08-27 11:00", _GLASS, 3, _BRANDT, date(2028, 8, 27)),
    Approve("2026-08-28 10:00", _GLASS, 3, _DE_SOUZA, _DEPUTY),
    DemoReading("2026-08-28 22:00"),
    DemoReading("2026-08-31 22:00"),
    # The rating engine follows the alias; the stage is forgotten.
    Promote("2026-09-01 07:30", _GLASS, 3, ways=("alias",)),
    DeleteRun("2026-09-02 16:40", _COST, 2),
    Explore("2026-09-03 10:00", _FREQ, "pshah", 0.03),
    Train("2026-09-07 15:00", _FREQ, 4, "pshah", "PRC-1161", "Electric cars, capped"),
    DemoReading("2026-09-11 22:00"),
    Validate("2026-09-14 11:00", _FREQ, 4, _OSEI, date(2027, 9, 14)),
    # The Chief Actuary is on a train; the author ticks the box for her.
    Approve("2026-09-15 15:30", _FREQ, 4, _SOLBERG, account="pshah"),
    DemoReading("2026-09-15 22:00"),
    Promote("2026-09-16 07:30", _FREQ, 4),
    TagModel("2026-09-18 10:00", _BOX, "gov.monitoring.status", "amber"),
    # Two candidates wait for the committee of October.
    Train("2026-09-21 15:00", _SEV, 3, "pshah", "PRC-1164", "Third-quarter inflation"),
    Train("2026-09-22 11:00", _SUBS, 2, "tellwood", "PRC-1165", "In-house successor, first fit"),
    # A review that is due is moved by a year, in the database, where MLflow asks nobody.
    Overwrite("2026-09-23 19:40", _COST, 2, "gov.validation.next_due", "2029-07-31"),
    MoveToStage("2026-09-24 09:00", _SEV, 3, "Staging"),
    DemoReading("2026-09-25 22:00"),
    Monitor("2026-09-28 06:00", _ALL),
    Validate("2026-09-28 16:00", _SEV, 3, _BRANDT, date(2027, 9, 28)),
    DemoReading("2026-09-30 22:00"),
    DemoReading("2026-10-05 22:00"),
)

CALENDAR: tuple[Event, ...] = _SPRING + _SUMMER
"""Everything that happens, in order of time."""
