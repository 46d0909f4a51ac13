"""JSON Schemas, with answers as models write them."""

import json


def schema(**keywords) -> str:
    return json.dumps(keywords, ensure_ascii=False)


def record(required=(), **properties) -> str:
    """A schema of an object with just these properties."""
    return schema(
        type="object", properties=properties, required=list(required or properties), additionalProperties=False
    )


INTEGER = {"type": "integer"}
TEXT = {"type": "string"}
PERSON = record(name=TEXT, age={"type": "integer", "minimum": 0})
CITIES = schema(type="array", items=TEXT, minItems=2, uniqueItems=True)
COLOUR = record(colour={"enum": ["red", "green", "blue"]})
PRICE = record(price={"type": "number", "multipleOf": 0.01, "exclusiveMinimum": 0})
DAY = record(day={"type": "string", "format": "date"})
TIME = record(at={"type": "string", "format": "date-time"})
POINT = schema(type="array", prefixItems=[{"type": "number"}, {"type": "number"}], items=False, minItems=2)
SHAPE = schema(
    oneOf=[
        {
            "type": "object",
            "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}},
            "required": ["kind", "r"],
        },
        {
            "type": "object",
            "properties": {"kind": {"const": "square"}, "a": {"type": "number"}},
            "required": ["kind", "a"],
        },
    ]
)
TREE = schema(
    **{"$ref": "#/$defs/node"},
    **{
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"value": INTEGER, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
                "required": ["value"],
                "unevaluatedProperties": False,
            }
        }
    },
)
CALL = record(
    name={"const": "get_weather"},
    arguments={
        "type": "object",
        "properties": {"city": TEXT, "unit": {"enum": ["C", "F"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
PAYMENT = schema(
    type="object",
    properties={"card": TEXT, "address": TEXT},
    dependentRequired={"card": ["address"]},
    minProperties=1,
)
CODE = record(code={"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2}$"})
SCORES = schema(
    type="object", patternProperties={"^s_": INTEGER}, additionalProperties=False, maxProperties=2, minProperties=1
)
DRAFT_7 = schema(
    **{"$schema": "http://json-schema.org/draft-07/schema#"}, type="array", items=[TEXT], additionalItems=False
)
DRAFT_4 = schema(
    **{"$schema": "http://json-schema.org/draft-04/schema#"}, type="integer", minimum=1, exclusiveMinimum=True
)
IF_ADULT = schema(
    type="object",
    required=["age"],
    **{"if": {"properties": {"age": {"minimum": 18}}}, "then": {"required": ["licence"]}},
)
WRAPPED = json.dumps({"schema": json.loads(PERSON), "solution": {"name": "Ann", "age": 31}})
ANN = '{"name": "Ann", "age": 31}'

# Schema, a response that keeps to it, and one that nearly does.
PAIRS = [
    (PERSON, ANN, '{"name": "Ann", "age": "31"}'),
    (PERSON, f"Here it is:\n```json\n{ANN}\n```\nAnything else?", f"Here it is:\n```json\n{ANN},\n```"),
    (PERSON, f"```JSON\n{ANN}\n```", "```JSON\n{name: 'Ann', age: 31}\n```"),
    (PERSON, f"```json {ANN} ```", '```json {"name": "Ann", "age": 31.5} ```'),
    (
        PERSON,
        f"```json\n{{}}\n```\nNo, better:\n```json\n{ANN}\n```",
        f"```json\n{ANN}\n```\nNo, better:\n```json\n{{}}\n```",
    ),
    (PERSON, f"The person is {ANN} as you asked.", 'The person is {"name": "Ann"} as you asked.'),
    (PERSON, f"A draft: {{}}. The answer: {ANN}.", f"A draft: {ANN}. The answer: {{}}."),
    (PERSON, f"As [1] says:\n{ANN}\nSee [2].", 'As [1] says:\n["Ann", 31]\nSee [2].'),
    (PERSON, f"In a set {{x | x > 0}}, {ANN}", "In a set {x | x > 0}, Ann is 31"),
    (PERSON, f'A 5" screen: {ANN}', 'A 5" screen: {"name": 5, "age": 31}'),
    (PERSON, '{"name": "{Ann]", "age": 31}', '{"name": "{Ann]", "age": -1}'),
    (PERSON, '{"name": "Ann \\"A\\" Lee", "age": 31}', '{"name": "Ann "A" Lee", "age": 31}'),
    (PERSON, '{"age": 31.0, "name": ""}', '{"age": 31.01, "name": ""}'),
    (PERSON, '\n {"name":"Ann","age":0}\n', '{"name":"Ann","age":null}'),
    (PERSON, '{"name": "安", "age": 1e1}', '{"name": "安", "age": 1e-1}'),
    (PERSON, f"```json\n{ANN}", '```json\n{"name": "Ann", "age": 31'),
    (WRAPPED, ANN, '{"name": "Ann", "age": 31, "town": "Oslo"}'),
    (CITIES, '["Oslo", "Rome"]', '["Oslo", "Oslo"]'),
    (CITIES, 'The towns: ["Oslo", "Rome"]', 'The towns: ["Oslo"]'),
    (CITIES, '[\n  "Oslo",\n  "Rome"\n]', '[\n  "Oslo",\n  "Rome",\n]'),
    (schema(type="array", items=json.loads(PERSON)), f"People: [{ANN}, {ANN}]", f"People: {ANN}, {ANN}"),
    (COLOUR, '{"colour": "red"}', '{"colour": "Red"}'),
    (PRICE, '{"price": 0.07}', '{"price": 0.075}'),
    (PRICE, '{"price": 1234567.89}', '{"price": 0}'),
    (schema(type="number", multipleOf=0.1), "0.3", "0.35"),
    (DAY, '{"day": "2024-02-29"}', '{"day": "2023-02-29"}'),
    (DAY, '{"day": "2024-12-31"}', '{"day": "31/12/2024"}'),
    (TIME, '{"at": "2024-02-29T12:00:00Z"}', '{"at": "2024-02-29 12:00"}'),
    (TIME, '{"at": "2024-02-29T12:00:00.5+02:00"}', '{"at": "2024-02-29T25:00:00Z"}'),
    (record(at={"format": "time"}), '{"at": "12:30:00Z"}', '{"at": "12:60:00Z"}'),
    (record(id={"format": "uuid"}), '{"id": "123e4567-e89b-12d3-a456-426614174000"}', '{"id": "123e4567"}'),
    (record(ip={"format": "ipv4"}), '{"ip": "10.0.0.1"}', '{"ip": "10.0.0.256"}'),
    (record(ip={"format": "ipv6"}), '{"ip": "::1"}', '{"ip": ":::1"}'),
    (record(mail={"format": "email"}), '{"mail": "a@b.org"}', '{"mail": "a at b.org"}'),
    (POINT, "[1.5, -2]", "[1.5, -2, 3]"),
    (POINT, "The point is [0, 0].", "The point is [0]."),
    (SHAPE, '{"kind": "circle", "r": 2}', '{"kind": "circle", "a": 2}'),
    (SHAPE, '{"kind": "square", "a": 2, "r": 1}', '{"kind": "triangle", "a": 2}'),
    (
        TREE,
        '{"value": 1, "children": [{"value": 2, "children": []}]}',
        '{"value": 1, "children": [{"children": []}]}',
    ),
    (TREE, '{"value": 1}', '{"value": 1, "left": null}'),
    (
        CALL,
        '{"name": "get_weather", "arguments": {"city": "Oslo"}}',
        '{"name": "get_weather", "arguments": {"unit": "C"}}',
    ),
    (
        CALL,
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo", "unit": "C"}}\n</tool_call>',
        '<tool_call>\n{"name": "get_weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}\n</tool_call>',
    ),
    (PAYMENT, '{"card": "1", "address": "x"}', '{"card": "1"}'),
    (PAYMENT, '{"address": "x"}', "{}"),
    (CODE, '{"code": "ABC-12"}', '{"code": "ABC-123"}'),
    (SCORES, '{"s_a": 1, "s_b": 2}', '{"s_a": 1, "b": 2}'),
    (DRAFT_7, '["a"]', '["a", "b"]'),
    (DRAFT_4, "2", "1"),
    (IF_ADULT, '{"age": 20, "licence": "B"}', '{"age": 20}'),
    (schema(type="boolean"), "true", "True"),
    (schema(type=["string", "null"]), "null", "None"),
    (schema(const={"a": [1, 2]}), '{"a": [1.0, 2]}', '{"a": [2, 1]}'),
    (schema(contains={"const": 7}), "[1, 7]", "[1, 17]"),
    (schema(type="string", minLength=3, maxLength=3), '"añb"', '"ab"'),
    (schema(**{"not": {"type": "null"}}), "0", "null"),
]

HITS = [(reference, hit) for reference, hit, _ in PAIRS]
MISSES = [(reference, miss) for reference, _, miss in PAIRS]

ANYTHING = record(required=["done"], done={"type": "boolean"}, note={})
CHEATS = [
    *[(PERSON, blank) for blank in ["", " ", "\n", "{}", "[]", "null", "```json\n```", "```json\n\n```", "..."]],
    (PERSON, PERSON),  # the schema itself
    (schema(type="object", properties={"a": TEXT}), schema(type="object", properties={"a": TEXT})),
    (PERSON, f"```json\n{PERSON}\n```"),
    (PERSON, '{"name": "Ann", "age": 31 /* of course */}'),
    (PERSON, '// valid\n{"name": "Ann", "age": 31,}'),
    (PERSON, f"```json\n{ANN}\nThis is valid.\n```"),
    (PERSON, f"```json\n{ANN}\n{ANN}\n```"),
    (PERSON, '{"name": "Ann", "age": "x", "age": 31}'),  # given twice
    (PERSON, '{"name": "Ann", "age": NaN}'),
    (PERSON, '{"name": "Ann", "age": Infinity}'),
    (PERSON, '{"name": "Ann", "age": 1e999}'),
    (PERSON, '{"name": "Ann", "age": ' + "9" * 5_000 + "}"),
    (PERSON, '{"name": "Ann", "age": 031}'),
    (PERSON, '{"name": "Ann", "age": true}'),
    (PERSON, "{'name': 'Ann', 'age': 31}"),
    (PERSON, "\ufeff" + ANN[:-1]),
    (PERSON, '{"name": "Ann\nLee", "age": 31}'),
    (PERSON, '{"$ref": "#"}'),
    (PERSON, '{"$schema": "https://json-schema.org/draft/2020-12/schema", "name": "Ann", "age": 31}'),
    (PERSON, "My JSON is valid and matches the schema."),
    (PERSON, "{" * 100_000),
    (PERSON, '{"name":' * 50_000),
    (CITIES, "[" * 3_000 + "]" * 3_000),
    (ANYTHING, '{"note": ' + "[" * 2_000 + "]" * 2_000 + "}"),
    (SHAPE, '{"kind": "circle", "kind": "square", "r": 1, "a": 2}'),
]
