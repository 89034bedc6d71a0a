//! The bus: hints from rooms and presence to the gateways that need them.
//!
//! At most once and in no promised order: the log and its heads repair what the bus loses,
//! repeats or reorders. `amqp` is RabbitMQ, `memory` is one process; both keep the contract's one
//! suite of tests. The only crate that knows amqprs.
mod amqp;
mod buffer;
mod config;
mod contract;
mod decode;
pub mod doctor;
mod encode;
mod memory;
mod metrics;
mod wishes;

pub use amqp::AmqpBus;
pub use config::{Address, BusConfig, InvalidAddress, open};
pub use contract::{
    BindingKey, Bindings, Bus, BusEvent, BusHealth, Consumer, DirectEvent, Outbound,
};
pub use decode::{Undecodable, decode_direct, decode_room, decode_system};
pub use encode::{encode_direct, encode_room, encode_system};
pub use memory::MemoryBus;
