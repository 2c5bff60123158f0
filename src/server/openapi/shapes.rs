//! Schemas of what has OpenAI's own shape.

use serde_json::{Value, json};

pub(super) fn chat(required: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": {
            "model": {"type": "string"},
            "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
            "stream": {"type": "boolean"},
            "account_id": {"type": "integer", "description": "This account or none; the header `X-Account-Id` says the same"},
        },
    })
}

pub(super) fn completion() -> Value {
    json!({
        "type": "object",
        "required": ["id", "object", "created", "model", "choices"],
        "properties": {"object": {"const": "chat.completion"}, "choices": {"type": "array"}},
    })
}

pub(super) fn model() -> Value {
    json!({
        "type": "object",
        "required": ["id", "object", "created", "owned_by"],
        "properties": {
            "id": {"type": "string"},
            "object": {"const": "model"},
            "created": {"type": "integer"},
            "owned_by": {"type": "string", "description": "A platform, or `OAuth accounts`"},
            "name": {"type": "string", "description": "For display, of an account's models"},
            "context_length": {"type": "integer"},
            "max_output_tokens": {"type": "integer"},
        },
    })
}

pub(super) fn models() -> Value {
    json!({
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": model()}},
    })
}
