# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Schemas (draft 2020-12) of policy and waiver files; docs/schema/*.json are these, for editors."""

from __future__ import annotations

import typing as t

from ..model import SEVERITIES, J

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
DATE = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


def _text(description: str, **more: t.Any) -> J:
    return {"type": "string", "minLength": 1, "description": description, **more}


def _texts(description: str) -> J:
    return {"type": "array", "items": {"type": "string", "minLength": 1}, "description": description}


def _mapping(description: str, properties: J, required: t.Sequence[str] = ()) -> J:
    found: J = {
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        found["required"] = list(required)
    return found


def _days(description: str) -> J:
    return {"type": "integer", "minimum": 0, "description": description}


def _limits(what: str) -> J:
    return _mapping(
        f"How many {what} of each severity are allowed; a severity that is left out has no limit.",
        {name: {"type": "integer", "minimum": 0} for name in SEVERITIES},
    )


def _promoted(what: str) -> J:
    return {
        "type": "object",
        "description": f"{what} that count with another severity than the content gives them.",
        "additionalProperties": {"type": "string", "enum": list(SEVERITIES)},
    }


_IMAGES = _texts("Globs over the reference, as `docker://registry.example.org/shop/*`.")
_NAMESPACES = _texts("Globs over the namespaces that run the image; one that matches is enough.")

SELECT = _mapping(
    "The images that the policy is for; every key that is given must match. All images where it is left out.",
    {
        "images": _IMAGES,
        "namespaces": _NAMESPACES,
        "labels": {
            "type": "object",
            "description": "Globs over the image's labels by the label's name.",
            "additionalProperties": {"type": "string"},
        },
        "os": _texts("Globs over the operating system, as `debian *` or `rhel 8*`."),
        "platforms": _texts("Globs over the platform, as `linux/arm64*`."),
    },
)

POLICY = _mapping(
    "One policy.",
    {
        "name": _text("Its name, in every verdict.", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
        | {"x-must-be": "letters, digits, dots, dashes and underscores, at most 63"},
        "description": _text("What it is for."),
        "select": SELECT,
        "thresholds": _mapping(
            "The limits beyond which an image is non_compliant. What is left out is as in the default policy.",
            {"rules": _limits("failed rules"), "vulnerabilities": _limits("true definitions")},
        ),
        "rules": _mapping(
            "Single rules, by full id or by what follows `_rule_` in it.",
            {
                "required": _texts("Must have been evaluated and have passed."),
                "ignored": _texts("Never count."),
                "promoted": _promoted("Rules"),
            },
        ),
        "cves": _mapping(
            "Single CVEs. A definition of several CVEs is ignored only where all of them are.",
            {
                "denied": _texts("Make an image non_compliant, whatever their severity."),
                "ignored": _texts("Never count."),
                "promoted": _promoted("CVEs"),
            },
        ),
        "fix": _mapping(
            "What counts of vulnerabilities, by their fix.",
            {
                "available_days": _days("A vulnerability counts only where its advisory with a fix is as old as this."),
            },
        ),
        "freshness": _mapping(
            "How old a verdict's grounds may be; what is older is stale.",
            {
                "scan_days": _days("Greatest age of the scan."),
                "content_days": _days("Greatest age of each vulnerability feed, as it says itself."),
            },
        ),
        "conditions": {
            "type": "array",
            "description": "JMESPath expressions over the verdict and the image; each must give true or false.",
            "items": _mapping(
                "One condition.",
                {
                    "name": _text("A word for it, in the verdict's reasons."),
                    "deny_when": _text("JMESPath; an image for which it is true is non_compliant."),
                    "message": _text("What the verdict says then."),
                },
                ["name", "deny_when", "message"],
            ),
        },
    },
    ["name"],
)

POLICIES: J = _mapping(
    "Policies; of those that apply to an image the strictest wins.",
    {"policies": {"type": "array", "minItems": 1, "items": POLICY, "description": "The policies."}},
    ["policies"],
)

POLICY_FILE: J = {
    "$schema": _DIALECT,
    "$id": "https://scap-images.github.io/schema/policy.schema.json",
    "title": "scap.images policies",
    "description": "One policy, or several below `policies`.",
    "type": "object",
    "if": {"required": ["policies"]},
    "then": POLICIES,
    "else": POLICY,
}
"""What an editor checks a policy file with."""

SCOPE: J = {
    "oneOf": [
        {"type": "string", "enum": ["all"], "description": "Every image."},
        _mapping(
            "The images it is for; every key that is given must match.",
            {
                "images": _IMAGES,
                "namespaces": _texts("Globs; every namespace that runs the image must match."),
                "digests": _texts("Digests, `sha256:...`."),
            },
        ),
    ],
    "description": "The images it is for: `all`, or a mapping of globs.",
}

_COMMON: J = {
    "scope": SCOPE,
    "owner": _text("Who answers for it."),
    "expires": _text("The last day on which it holds, YYYY-MM-DD.", pattern=DATE) | {"x-must-be": "a date, YYYY-MM-DD"},
    "ticket": _text("Where it was decided."),
}

WAIVERS: J = {
    "$schema": _DIALECT,
    "$id": "https://scap-images.github.io/schema/waivers.schema.json",
    "title": "scap.images waivers",
    **_mapping(
        "Findings that do not count for a time, and who answers for that.",
        {
            "waivers": {
                "type": "array",
                "description": "The waivers.",
                "items": {
                    **_mapping(
                        "One waiver.",
                        {
                            "rule": _text("A rule, by full id or by what follows `_rule_` in it."),
                            "cve": _text("A CVE.", pattern=r"^CVE-[0-9]{4}-[0-9]{4,10}$")
                            | {"x-must-be": "as CVE-2024-12345"},
                            "package": _text("An installed package: whatever a definition finds in it."),
                            "definition": _text("An OVAL definition's id."),
                            **_COMMON,
                            "reason": _text("Why it may wait."),
                        },
                        ["scope", "owner", "reason", "expires"],
                    ),
                    "x-exactly-one": ["rule", "cve", "package", "definition"],
                },
            },
            "vex": {
                "type": "array",
                "description": "VEX documents (OpenVEX, CSAF) whose not_affected statements are waivers.",
                "items": _mapping(
                    "One document.",
                    {"path": _text("Its file, relative to this one."), **_COMMON},
                    ["path", "scope", "owner", "expires"],
                ),
            },
        },
    ),
}
