//! A JSON object whose values stay text.
//!
//! What is passed on is passed on as it came: a field that no rule touches is
//! never parsed, and numbers, escapes and the order of keys survive.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::skim::Skim;

/// Enough for any message, chunk or request; keeps twins cheap to find.
pub(super) const MOST_FIELDS: usize = 200;

/// An object's fields in order, each value as JSON text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Object<'a> {
    /// Reads an object; of a field that comes twice the last one counts.
    ///
    /// # Errors
    /// When the text is no JSON object, or one of more than 200 fields.
    pub fn parse(json: &'a str) -> Result<Object<'a>, serde_json::Error> {
        let mut skim = Skim::new(json);
        let object = Object::skim(&mut skim);
        object.filter(|_| skim.end().is_some()).map_or_else(|| serde_json::from_str(json), Ok)
    }

    /// Steps over an object, and reads it so.
    pub fn skim(skim: &mut Skim<'a>) -> Option<Object<'a>> {
        Object::skim_parted::<()>(skim, "", |_| None).map(|(object, _)| object)
    }

    /// The same; what stands in the field of this name is read by `part`. The field's text is
    /// left empty, for [`write_each`](Self::write_each) to fill.
    pub fn skim_parted<T>(
        skim: &mut Skim<'a>,
        name: &str,
        mut part: impl FnMut(&mut Skim<'a>) -> Option<T>,
    ) -> Option<(Object<'a>, Option<T>)> {
        let (mut object, mut parted) = (Object { fields: Vec::with_capacity(8) }, None);
        skim.object(|skim, key| {
            if object.fields.len() == MOST_FIELDS {
                return None;
            }
            if !name.is_empty() && key == name {
                parted = Some(part(skim)?);
                object.set(key, "");
            } else {
                object.set(key, skim.value()?);
            }
            Some(())
        })?;
        Some((object, parted))
    }

    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, json)| &**json)
    }

    /// A field's value, unless it is absent or null.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|json| *json != "null")
    }

    /// Sets a field, in its old place if it was there.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, json: impl Into<Cow<'a, str>>) {
        let (name, json) = (name.into(), json.into());
        match self.fields.iter_mut().find(|(key, _)| *key == name) {
            Some(field) => field.1 = json,
            None => self.fields.push((name, json)),
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let at = self.fields.iter().position(|(key, _)| key == name)?;
        Some(self.fields.remove(at).1)
    }

    /// Keeps the fields whose name passes.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.fields.retain(|(name, _)| keep(name));
    }

    /// Takes out what is null, but for the field of this name.
    pub fn drop_nulls_but(&mut self, name: &str) {
        self.fields.retain(|(key, json)| json != "null" || key == name);
    }

    /// The fields in order: name, JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, json)| (&**name, &**json))
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Appends the object as JSON text.
    pub fn write(&self, out: &mut String) {
        self.write_each(out, |out, _, json| out.push_str(json));
    }

    /// As [`write`](Self::write), with each value written by its field's name and text.
    pub fn write_each(&self, out: &mut String, mut value: impl FnMut(&mut String, &str, &str)) {
        out.push('{');
        for (number, (name, json)) in self.fields.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            write_text(out, name);
            out.push(':');
            value(out, name, json);
        }
        out.push('}');
    }

    /// The object as JSON text.
    pub fn to_json(&self) -> String {
        let room = self.fields.iter().map(|(name, json)| name.len() + json.len() + 4);
        let mut out = String::with_capacity(room.sum::<usize>() + 2);
        self.write(&mut out);
        out
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Object<'a> {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(fields: T) -> Object<'a> {
        let own = |(name, json)| (Cow::Borrowed(name), Cow::Borrowed(json));
        Object { fields: fields.into_iter().map(own).collect() }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object<'a>, D::Error> {
        from.deserialize_map(Fields)
    }
}

/// Reads an object within what serde reads.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object<'de>;

    fn expecting(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        form.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Object { fields: Vec::with_capacity(8) };
        while let Some(Name(name)) = map.next_key()? {
            if object.fields.len() == MOST_FIELDS {
                return Err(A::Error::custom(format_args!("more than {MOST_FIELDS} fields")));
            }
            object.set(name, map.next_value::<&'de RawValue>()?.get());
        }
        Ok(object)
    }
}

/// A field's name; borrowed when it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The elements of a JSON array, each as JSON text.
///
/// # Errors
/// When the text is no JSON array.
pub fn elements(json: &str) -> Result<Vec<&str>, serde_json::Error> {
    let (mut skim, mut values) = (Skim::new(json), Vec::new());
    let list = skim.array(|skim| skim.value().map(|value| values.push(value)));
    if list.is_some() && skim.end().is_some() {
        return Ok(values);
    }
    let values: Vec<&RawValue> = serde_json::from_str(json)?;
    Ok(values.into_iter().map(RawValue::get).collect())
}

/// The text of a JSON string; borrowed when it has no escapes.
pub fn read_text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(json).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Appends text as a JSON string.
pub fn write_text(out: &mut String, text: &str) {
    if text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        out.push_str(&serde_json::to_string(text).expect("text always serialises"));
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

/// Text as a JSON string.
pub fn text_to_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_text(&mut out, text);
    out
}

/// JSON without blanks between its tokens; numbers and escapes stay as they are.
pub fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_text, mut escaped) = (false, false);
    for letter in json.chars() {
        if in_text {
            out.push(letter);
            in_text = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else if !letter.is_ascii_whitespace() {
            out.push(letter);
            in_text = letter == '"';
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_survives() {
        let json = r#"{"a":1.50,"b":"\u4f60","c":{"x":[1, 2]}}"#;
        let mut object = Object::parse(json).unwrap();
        object.set("a", "2");
        assert_eq!(object.to_json(), r#"{"a":2,"b":"\u4f60","c":{"x":[1, 2]}}"#);
        assert_eq!(object.remove("b").unwrap(), r#""\u4f60""#);
        assert_eq!(object.get("b"), None);
    }

    #[test]
    fn the_last_twin_counts_and_names_are_unescaped() {
        let object = Object::parse(r#"{"a":1,"\u0061":null}"#).unwrap();
        assert_eq!(object.to_json(), r#"{"a":null}"#);
        assert_eq!(object.given("a"), None);
    }

    #[test]
    fn text_goes_both_ways() {
        for text in ["", "plain", "q\"\\\n\u{1}", "你好🙂"] {
            let json = text_to_json(text);
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            assert_eq!(read_text(&json).unwrap(), text);
        }
        assert_eq!(read_text("\""), None);
        assert_eq!(read_text("7"), None);
    }

    #[test]
    fn blanks_go_and_texts_and_numbers_stay() {
        let json = "{ \"a b\" : \"c \\\" d\\\\\" ,\n \"n\": [1.50, 12345678901234567890 ] }";
        assert_eq!(compact(json), r#"{"a b":"c \" d\\","n":[1.50,12345678901234567890]}"#);
    }
}
