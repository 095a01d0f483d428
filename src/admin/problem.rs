//! Errors as problem documents: `type`, `title`, `status`, `detail`, when to try again where that may help, and the user who
//! stands in the way where there is one.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::gateway::gate::Busy;
use crate::script::CallError;

/// What went wrong, as a word that programs may rely on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The request says something that is not allowed.
    Invalid,
    /// The bearer token is missing or wrong.
    Unauthorized,
    /// The request comes from a page of another site.
    Forbidden,
    NoSuchPath,
    /// The directory knows no such node, or it is dead.
    NoSuchNode,
    /// There is neither a profile nor a ticket of this user.
    NoSuchUser,
    /// The name is another user's.
    NameTaken,
    /// The user is being erased.
    Erasing,
    /// There is room for no more of it.
    Full,
    WrongMethod,
    /// The body is larger than is read.
    TooLarge,
    /// No node takes newcomers, or the store is away; nothing was done.
    Unavailable,
    /// The answer of the store is lost; the request may have been carried out.
    Unknown,
    /// A fault of a script or of this server.
    Internal,
}

impl Kind {
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Kind::Invalid => (StatusCode::BAD_REQUEST, "invalid", "The request is not valid"),
            Kind::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "The bearer token is missing or wrong"),
            Kind::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Pages of other sites may not ask"),
            Kind::NoSuchPath => (StatusCode::NOT_FOUND, "no_such_path", "There is nothing here"),
            Kind::NoSuchNode => (StatusCode::NOT_FOUND, "no_such_node", "No node of this name lives"),
            Kind::NoSuchUser => (StatusCode::NOT_FOUND, "no_such_user", "There is no such user"),
            Kind::NameTaken => (StatusCode::CONFLICT, "name_taken", "The name is another user's"),
            Kind::Erasing => (StatusCode::CONFLICT, "erasing", "The user is being erased"),
            Kind::Full => (StatusCode::CONFLICT, "full", "There is no room for it"),
            Kind::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "The path does not take this method"),
            Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is too large"),
            Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not possible at this moment"),
            Kind::Unknown => (StatusCode::SERVICE_UNAVAILABLE, "outcome_unknown", "The outcome is not known"),
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "A fault of the server"),
        }
    }
}

/// One error as the caller sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    retry_after_ms: Option<u64>,
    /// The user who stands in the way.
    uid: Option<String>,
}

impl Problem {
    /// `detail` says what is wrong with this very request.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after_ms: None, uid: None }
    }

    /// The request says something that is not allowed.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, detail)
    }

    /// It may work after a while.
    #[must_use]
    pub fn retry_after(mut self, retry_after_ms: u64) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }

    /// Another user stands in the way.
    #[must_use]
    pub fn of_user(mut self, uid: impl Into<String>) -> Self {
        self.uid = Some(uid.into());
        self
    }

    /// The document, for one item of several.
    pub fn to_json(&self) -> Value {
        let (status, word, title) = self.kind.parts();
        let mut body = json!({
            "type": format!("urn:oneseat:problem:{word}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
        });
        if let Some(ms) = self.retry_after_ms {
            body["retry_after_ms"] = ms.into();
        }
        if let Some(uid) = &self.uid {
            body["uid"] = uid.as_str().into();
        }
        body
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        let kind = match &error {
            CallError::Away { .. } => Kind::Unavailable,
            CallError::Lost { .. } => Kind::Unknown,
            CallError::Script { .. }
            | CallError::Effects { .. }
            | CallError::Unknown { .. }
            | CallError::Arguments { .. } => Kind::Internal,
        };
        if kind == Kind::Internal {
            tracing::error!(%error, "a script failed for the admin API");
        }
        Self { kind, retry_after_ms: error.retry_after_ms(), detail: error.to_string(), uid: None }
    }
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Self {
        let detail = "too many calls wait for the store".to_owned();
        let retry_after_ms = u64::try_from(busy.retry_after.as_millis()).unwrap_or(u64::MAX);
        Self::new(Kind::Unavailable, detail).retry_after(retry_after_ms)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, ..) = self.kind.parts();
        let mut response = (status, Json(self.to_json())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(ms) = self.retry_after_ms {
            // The header counts whole seconds; less than one would mean at once.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
        }
        response
    }
}

/// What the router answers where no route fits.
pub async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(Kind::NoSuchPath, format!("no route leads to {}", uri.path()))
}

/// What the router answers where a route does not take the method; it adds the `Allow` header.
pub async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(Kind::WrongMethod, format!("{} does not take {method}", uri.path()))
}
