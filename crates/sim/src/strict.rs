//! Walks a request body field by field and refuses what Meta would refuse.
//!
//! Promise: an unknown key, a wrong type or an overlong value anywhere is named by its path in the error's details.

use serde_json::{Map, Value};

use crate::graph_error::GraphError;

/// One JSON object of the request with the path that led to it.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// Wraps an object; anything else is refused.
    pub fn of(value: &'a Value, path: &str) -> Result<Self, GraphError> {
        match value {
            Value::Object(map) => Ok(Self { path: path.to_owned(), map }),
            _ => Err(GraphError::invalid(format!("Param {path} must be an object."))),
        }
    }

    /// Where a key of this object stands, e.g. `text.body`.
    pub fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Refuses every key but these.
    pub fn only(&self, keys: &[&str]) -> Result<(), GraphError> {
        match self.map.keys().find(|key| !keys.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let place = if self.path.is_empty() { "the request" } else { &self.path };
                Err(GraphError::invalid(format!("Unexpected key \"{key}\" on param \"{place}\".")))
            }
        }
    }

    /// The raw value of a key; `null` counts as absent.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn missing(&self, key: &str) -> GraphError {
        GraphError::code(131008).because(format!("Parameter '{}' is mandatory.", self.at(key)))
    }

    /// The value is there but not allowed: 131009.
    pub fn bad(&self, key: &str, why: &str) -> GraphError {
        GraphError::code(131009).because(format!("Parameter '{}' {why}.", self.at(key)))
    }

    fn wrong_type(&self, key: &str, wanted: &str) -> GraphError {
        GraphError::invalid(format!("Param {} must be {wanted}.", self.at(key)))
    }

    /// A string that may be absent, of at most `max` characters.
    pub fn text_opt(&self, key: &str, max: usize) -> Result<Option<&'a str>, GraphError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= max => Ok(Some(text)),
            Some(Value::String(_)) => Err(self.bad(key, &format!("must be at most {max} characters"))),
            Some(_) => Err(self.wrong_type(key, "a string")),
        }
    }

    /// A string that must be there and not be empty.
    pub fn text(&self, key: &str, max: usize) -> Result<&'a str, GraphError> {
        match self.text_opt(key, max)? {
            Some("") | None => Err(self.missing(key)),
            Some(text) => Ok(text),
        }
    }

    /// One of a closed set of words.
    pub fn word(&self, key: &str, allowed: &[&str]) -> Result<&'a str, GraphError> {
        let word = self.text(key, 256)?;
        if allowed.contains(&word) {
            Ok(word)
        } else {
            Err(self.bad(key, &format!("must be one of {{{}}}", allowed.join(", "))))
        }
    }

    /// A boolean that may be absent.
    pub fn flag_opt(&self, key: &str) -> Result<Option<bool>, GraphError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong_type(key, "a boolean")),
        }
    }

    /// A number, or a string that is one.
    pub fn number(&self, key: &str) -> Result<f64, GraphError> {
        let number = match self.get(key) {
            None => return Err(self.missing(key)),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        number.ok_or_else(|| self.wrong_type(key, "a number"))
    }

    /// A nested object that may be absent.
    pub fn object_opt(&self, key: &str) -> Result<Option<Fields<'a>>, GraphError> {
        self.get(key).map(|value| Fields::of(value, &self.at(key))).transpose()
    }

    /// A nested object.
    pub fn object(&self, key: &str) -> Result<Fields<'a>, GraphError> {
        self.object_opt(key)?.ok_or_else(|| self.missing(key))
    }

    /// A list of objects that may be absent.
    pub fn list_opt(&self, key: &str) -> Result<Vec<Fields<'a>>, GraphError> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(at, item)| Fields::of(item, &format!("{}[{at}]", self.at(key))))
                .collect(),
            Some(_) => Err(self.wrong_type(key, "an array")),
        }
    }

    /// A list with at least one and at most `max` objects.
    pub fn list(&self, key: &str, max: usize) -> Result<Vec<Fields<'a>>, GraphError> {
        let items = self.list_opt(key)?;
        if items.is_empty() {
            return Err(self.missing(key));
        }
        if items.len() > max {
            return Err(self.bad(key, &format!("must have at most {max} elements")));
        }
        Ok(items)
    }
}
