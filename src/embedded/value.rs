//! The value of a key: one of six types.

use super::fault::Fault;
use super::footprint::block;
use super::hash::Hash;
use super::list::List;
use super::set::Set;
use super::stream::Stream;
#[cfg(test)]
use super::zset::Member;
use super::zset::Zset;

/// What a key holds. The larger types are boxed, so that a small entry stays small.
#[derive(Clone, Debug)]
pub enum Value {
    Text(Vec<u8>),
    List(Box<List>),
    Hash(Box<Hash>),
    Set(Box<Set>),
    Zset(Box<Zset>),
    Stream(Box<Stream>),
}

impl Value {
    /// The name that TYPE answers.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Text(_) => "string",
            Value::List(_) => "list",
            Value::Hash(_) => "hash",
            Value::Set(_) => "set",
            Value::Zset(_) => "zset",
            Value::Stream(_) => "stream",
        }
    }

    /// The name that OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Value::Text(text) if super::number::parse_i64(text).is_some() => "int",
            Value::Text(text) if text.len() <= 44 => "embstr",
            Value::Text(_) => "raw",
            Value::List(list) => list.encoding(),
            Value::Hash(hash) => hash.encoding(),
            Value::Set(set) => set.encoding(),
            Value::Zset(zset) => zset.encoding(),
            Value::Stream(_) => "stream",
        }
    }

    /// Bytes of memory that it holds, with what the allocator adds.
    pub fn footprint(&self) -> usize {
        match self {
            Value::Text(text) => block(text.capacity()),
            Value::List(list) => block(size_of::<List>()) + list.footprint(),
            Value::Hash(hash) => block(size_of::<Hash>()) + hash.footprint(),
            Value::Set(set) => block(size_of::<Set>()) + set.footprint(),
            Value::Zset(zset) => block(size_of::<Zset>()) + zset.footprint(),
            Value::Stream(stream) => block(size_of::<Stream>()) + stream.footprint(),
        }
    }

    /// As [`Value::footprint`], counted element by element.
    #[cfg(test)]
    pub fn recount(&self) -> usize {
        let counted = |content: &usize, recounted: usize| self.footprint() - content + recounted;
        match self {
            Value::List(list) => match &**list {
                List::Large(queue, content) => counted(content, queue.iter().map(|item| block(item.len())).sum()),
                List::Small(_) => self.footprint(),
            },
            Value::Hash(hash) => match &**hash {
                Hash::Large(table, content) => {
                    counted(content, table.iter().map(|(field, value)| block(field.len()) + block(value.len())).sum())
                }
                Hash::Small(_) => self.footprint(),
            },
            Value::Set(set) => match &**set {
                Set::Members { table, content, .. } => {
                    counted(content, table.iter().map(|member| block(member.len())).sum())
                }
                Set::Ints(_) => self.footprint(),
            },
            Value::Zset(zset) => counted(&zset.content, zset.iter().map(Member::footprint).sum()),
            Value::Stream(stream) => counted(&stream.content, stream.entries.values().map(super::stream::cost).sum()),
            Value::Text(_) => self.footprint(),
        }
    }

    /// Whether nothing is left in it; such a key is removed, except a stream or a string.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Text(_) | Value::Stream(_) => false,
            Value::List(list) => list.len() == 0,
            Value::Hash(hash) => hash.len() == 0,
            Value::Set(set) => set.len() == 0,
            Value::Zset(zset) => zset.len() == 0,
        }
    }
}

/// A type that a key can hold, and how to find it in a value.
pub trait Kind: Default {
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    fn wrap(self) -> Value;

    /// The value as this type, or the error that names the mistake.
    fn expect(value: &Value) -> Result<&Self, Fault> {
        Self::of(value).ok_or(Fault::WRONG_TYPE)
    }
}

impl Kind for Vec<u8> {
    fn of(value: &Value) -> Option<&Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }

    fn wrap(self) -> Value {
        Value::Text(self)
    }
}

macro_rules! boxed_kind {
    ($($kind:ident)*) => {$(
        impl Kind for $kind {
            fn of(value: &Value) -> Option<&Self> {
                if let Value::$kind(inner) = value { Some(inner) } else { None }
            }

            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                if let Value::$kind(inner) = value { Some(inner) } else { None }
            }

            fn wrap(self) -> Value {
                Value::$kind(Box::new(self))
            }
        }
    )*};
}

boxed_kind!(List Hash Set Zset Stream);
