"""Which part of an audit speaks to which heading of three supervisors' texts; an index, no legal opinion.

The FCA's Consumer Duty (PRIN 2A) and pricing rules (ICOBS 6B); the NAIC's Model Bulletin on the Use of Artificial
Intelligence Systems by Insurers, of 2023; Regulation (EU) 2024/1689, the AI Act.
"""

from typing import NamedTuple


class Heading(NamedTuple):
    """A heading, and the parts of an audit that speak to it."""

    source: str
    heading: str
    parts: tuple[str, ...]
    """Keys of sections; empty if no part does."""
    not_here: str = ""
    """What the heading asks for that an audit of predictions does not measure."""


FCA, NAIC, AI_ACT = "FCA", "NAIC Model Bulletin", "EU AI Act"
HEADINGS = (
    Heading(
        FCA,
        "Consumer Duty, price and value outcome (PRIN 2A.4): value for groups of customers",
        ("groups", "proxies", "flips"),
        "costs and benefits of the product",
    ),
    Heading(
        FCA,
        "Consumer Duty, vulnerable and protected groups; Equality Act 2010",
        ("groups", "proxies", "reliance", "flips"),
        "whether a difference is justified",
    ),
    Heading(FCA, "Pricing practices (ICOBS 6B): renewal prices", (), "prices of renewals beside those of new business"),
    Heading(FCA, "Consumer Duty, consumer understanding (PRIN 2A.5)", (), "what customers are told"),
    Heading(NAIC, "3.0 Risk management: bias analysis and minimization", ("groups", "proxies", "reliance", "flips")),
    Heading(
        NAIC,
        "3.0 Risk management: data quality, integrity and suitability",
        ("leaks", "erratic"),
        "where the data comes from, and how current it is",
    ),
    Heading(
        NAIC,
        "3.0 Risk management: validation, testing, robustness",
        ("quality", "jumps", "directions", "erratic"),
        "drift: it needs rows of several times",
    ),
    Heading(NAIC, "1.0 and 2.0 General and governance", (), "who decides and who answers for it"),
    Heading(NAIC, "4.0 Third-party AI systems and data", (), "contracts and audits of suppliers"),
    Heading(
        AI_ACT,
        "Article 9, risk management: testing against metrics defined before",
        ("quality", "groups", "directions"),
        "the risk management system itself",
    ),
    Heading(
        AI_ACT,
        "Article 10(2)(f) and (g), data governance: examination of possible biases",
        ("groups", "proxies", "leaks"),
        "how the data was collected",
    ),
    Heading(AI_ACT, "Article 13, transparency: accuracy, and performance on specific groups", ("quality", "groups")),
    Heading(AI_ACT, "Article 14, human oversight", (), "who watches the model, and how they stop it"),
    Heading(
        AI_ACT, "Article 15, accuracy and robustness", ("quality", "jumps", "directions", "erratic"), "cybersecurity"
    ),
    Heading(
        AI_ACT,
        "Articles 11 and 12, technical documentation and records",
        (),
        "the documentation; a study's chain of runs is one part of it",
    ),
)
