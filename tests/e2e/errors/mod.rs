//! Every row of the error table: status, `type`, `code`, `param`, and the headers that
//! tell a client whether and when to come back.

mod caller;
mod member;
mod quota;
mod shapes;
mod sheets;
mod store_down;
mod upstream;
