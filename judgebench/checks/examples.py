"""An example of every kind of check, as it stands in a questions file."""

from __future__ import annotations

EXAMPLES: dict[str, str] = {
    "exact": '{"kind": "exact", "values": ["Lake Geneva", "Lac Léman"]}',
    "number": '{"kind": "number", "value": 0.333, "tolerance": 0.001}',
    "choice": '{"kind": "choice", "value": "B", "options": "ABCDE"}',
    "contains": '{"kind": "contains", "all": ["photosynthesis"], "any": ["carbon dioxide", "CO2", "CO₂"]}',
    "lacks": '{"kind": "lacks", "any": ["very", "really"]}',
    "count": '{"kind": "count", "unit": "words", "min": 80, "max": 120, "part": "prose"}',
    "each_count": '{"kind": "each_count", "of": "lines", "unit": "words", "exactly": 5}',
    "occurrences": '{"kind": "occurrences", "phrase": "the sea", "min": 2, "max": 4}',
    "regex": '{"kind": "regex", "pattern": "^Ingredients:$", "max": 1}',
    "each": '{"kind": "each", "unit": "bullets", "pattern": "[.!]$"}',
    "order": '{"kind": "order", "items": ["flour", "butter", "oven"]}',
    "starts_with": '{"kind": "starts_with", "values": ["Dear Ms Ito", "Dear Ms. Ito"]}',
    "ends_with": '{"kind": "ends_with", "values": ["Yours sincerely, Ada Byron"]}',
    "paragraphs_start": '{"kind": "paragraphs_start", "with": ["Background:", "Results:", ""]}',
    "acrostic": '{"kind": "acrostic", "word": "RIVER"}',
    "case": '{"kind": "case", "case": "lower"}',
    "language": '{"kind": "language", "code": "fr", "part": "last_paragraph"}',
    "json": '{"kind": "json", "keys": ["name", "items"], "only_keys": true, "values": {"items.0.price": 3}}',
    "python": '{"kind": "python", "defines": ["merge"], "args": {"merge": ["left", "right"]}, "forbids": ["sorted", "import"]}',
    "table": '{"kind": "table", "columns": ["Name", "Year"], "rows": 4}',
    "any_of": '{"kind": "any_of", "checks": [{"kind": "number", "value": 12}, {"kind": "contains", "all": ["a dozen"]}]}',
}  # fmt: skip
