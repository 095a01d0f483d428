//! The sessions of this node: who is here, what waits for whom, who has been silent, and who has ended.
//!
//! Lock-free where many meet (the map), a short lock where two do (one session's state). It decides nothing: who holds
//! a seat is what a script said, and here only ranks are compared. It knows no frame, no socket and no Redis.

pub mod closing;
pub mod ending;
pub mod handle;
pub mod mailbox;
pub mod map;
pub mod patience;
pub mod progress;
pub mod record;
mod state;
pub mod wheel;

pub use closing::{ClosedBy, Closing};
pub use ending::{Ending, EndingQueue};
pub use handle::{Flushed, Handle, Kicked};
pub use mailbox::{Bounds, Letter, Mailbox};
pub use map::{Bound, Map};
pub use patience::{Look, Patience};
pub use record::SessionRecord;
pub use state::Pushed;
pub use wheel::Wheel;
