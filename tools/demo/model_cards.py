"""What the firm says about each of its models: descriptions and governance tags, as data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Card:
    """The record of a registered model on the day it is created; what is empty is not written."""

    model_id: str
    owner: str
    developer: str
    purpose: str
    risk: str
    rationale: str
    uses: str
    limitations: str
    description: str
    lob: str
    depends_on: str = "system: rating-engine"
    origin: str = "in-house"
    vendor: str = ""
    exposure: str = ""
    assumptions: str = "The portfolio and the settlement of claims stay as they were in training"
    explanation: str = "relativities of every factor"

    def tags(self, day: date) -> dict[str, str]:
        """The tags of the registered model on the day it is created, in auditreg's default convention."""
        tags = {
            "gov.model_id": self.model_id,
            "gov.owner": self.owner,
            "gov.developer": self.developer,
            "gov.purpose": self.purpose,
            "gov.risk.rating": self.risk,
            "gov.risk.rationale": self.rationale,
            "gov.risk.rated_at": day.isoformat(),
            "gov.approved_uses": self.uses,
            "gov.limitations": self.limitations,
            "gov.assumptions": self.assumptions,
            "gov.explainability": self.explanation,
            "gov.thresholds": "test_gini>=0.10",
            "gov.doc.index": f"DMS/{self.model_id}",
            "gov.depends_on": self.depends_on,
            "gov.origin": self.origin,
            "gov.vendor.name": self.vendor,
            "gov.lob": self.lob,
            "gov.exposure": self.exposure,
            "gov.monitoring.status": "green",
            "gov.monitoring.date": day.isoformat(),
            "gov.retention.until": "2036-12-31",
        }
        return {key: value for key, value in tags.items() if value}


_VAN = Card(
    model_id="HV-M-031",
    owner="Helen Ashworth",
    developer="Daniel Okafor",
    purpose="Expected number of claims per van-year, for the trades product",
    risk="medium",
    rationale="Small book, priced with a wide margin",
    uses="New business and renewal of vans up to 3.5 tonnes",
    limitations="Courier use is excluded; fewer than 200 claims a year",
    description="Poisson frequency of van claims.",
    lob="van",
    exposure="GBP 9m premium",
)

CARDS: dict[str, Card] = {
    "motor-frequency-glm": Card(
        model_id="HV-M-001",
        owner="Helen Ashworth",
        developer="Priya Shah",
        purpose="Expected number of claims per car-year, the first factor of the motor tariff",
        risk="high",
        rationale="Sets the price of three quarters of the motor book",
        uses="New business and renewal of private cars",
        limitations="Not for fleets; drivers under 21 are sparse",
        description="Poisson frequency GLM for private cars, all perils but windscreen.",
        lob="motor",
        exposure="GBP 184m premium",
    ),
    "motor-severity-glm": Card(
        model_id="HV-M-002",
        owner="Helen Ashworth",
        developer="Priya Shah",
        purpose="Expected cost of a claim, the second factor of the motor tariff",
        risk="high",
        rationale="Multiplied with the frequency in every quotation",
        uses="New business and renewal of private cars",
        limitations="Claims above GBP 100,000 are capped and loaded separately",
        description="Gamma severity GLM for private cars, capped at large losses.",
        lob="motor",
        depends_on="motor-frequency-glm",
        exposure="GBP 184m premium",
    ),
    "motor-frequency-gbm": Card(
        model_id="HV-M-014",
        owner="Helen Ashworth",
        developer="Marta Kowalczyk",
        purpose="Challenger to the frequency GLM, scored in parallel",
        risk="medium",
        rationale="No effect on prices while it is a challenger",
        uses="Comparison only",
        limitations="Not monotone in age; not for quotation",
        description="Gradient-boosted trees on the features of the frequency GLM.",
        lob="motor",
        depends_on="motor-frequency-glm",
    ),
    "motor-windscreen-tweedie": Card(
        model_id="HV-M-007",
        owner="Helen Ashworth",
        developer="Daniel Okafor",
        purpose="Cost of windscreen claims per car-year",
        risk="medium",
        rationale="Many claims, small amounts",
        uses="New business and renewal of private cars",
        limitations="Recalibration of driver-assistance cameras is under-represented",
        description="Tweedie burning cost of windscreen claims.",
        lob="motor",
        exposure="GBP 11m premium",
    ),
    "motor-telematics-score": Card(
        model_id="HV-M-022",
        # Nobody took the model over when the telematics team was dissolved.
        owner="",
        developer="Marta Kowalczyk",
        purpose="Score of driving behaviour for the young driver product",
        risk="high",
        rationale="Individual prices from behavioural data",
        uses="Renewal of box policies",
        limitations="Needs 500 miles of data",
        description="Gradient-boosted claim frequency from telematics summaries.",
        lob="motor",
        exposure="GBP 14m premium",
    ),
    "motor-renewal-lapse": Card(
        model_id="HV-M-018",
        owner="Helen Ashworth",
        developer="Marta Kowalczyk",
        purpose="Probability that a customer does not renew",
        risk="medium",
        rationale="Steers retention offers, not the technical price",
        uses="Retention campaigns",
        limitations="Must not be used to set a renewal price above the new-business price",
        description="Gradient-boosted classifier of renewal outcomes.",
        lob="motor",
        depends_on="motor-frequency-glm, motor-severity-glm",
    ),
    "van-frequency": _VAN,
    "home-water-frequency": Card(
        model_id="HV-H-003",
        owner="Graham Pike",
        developer="Tom Ellwood",
        purpose="Expected number of escape-of-water claims per home-year",
        risk="medium",
        rationale="The dearest peril of the household book",
        uses="New business and renewal of buildings cover",
        limitations="Blocks of flats are rated by hand",
        description="Poisson frequency of escape-of-water claims.",
        lob="household",
        exposure="GBP 46m premium",
    ),
    "household-severity-gamma": Card(
        model_id="HV-H-004",
        owner="Graham Pike",
        developer="Tom Ellwood",
        purpose="Expected cost of a water claim",
        risk="medium",
        rationale="Multiplied with the frequency in every household quotation",
        uses="New business and renewal of buildings cover",
        limitations="Inflation is added outside the model",
        description="Gamma severity GLM for water claims.",
        lob="household",
        depends_on="household-water-frequency",
        exposure="GBP 46m premium",
    ),
    "household-subsidence-tweedie": Card(
        model_id="HV-H-009",
        owner="Graham Pike",
        developer="Marta Kowalczyk",
        purpose="Cost of subsidence per home-year by soil and age of the building",
        risk="high",
        rationale="Rare and dear; drives where the firm writes buildings cover",
        uses="New business of buildings cover",
        limitations="Clay index as of 2024",
        # Left out: the vendor's documentation was to do (see the waiver).
        description="",
        lob="household",
        origin="vendor",
        vendor="Terrafirm Analytics Ltd",
        explanation="",
        exposure="GBP 46m premium",
    ),
}
"""The card of every model, by the name it is first registered under."""
