//! What holds of every command that was let in, whatever format it came in.
use bytes::Bytes;
use wire::client::encode_command;
use wire::{
    Command, FILTER_DEPTH_MAX, FILTER_NODES_MAX, FilterNode, Format, HEADERS_MAX, Request,
    SUBS_MAX, SubscribeRequest,
};

/// Deepest nesting of a payload that a frame of JSON may carry.
const PAYLOAD_DEPTH_MAX: usize = 100;

/// Decodes a frame and looks at everything that came of it. `most` commands may be in it.
pub fn decode(format: Format, frame: &[u8], most: usize) -> Vec<Command> {
    let Ok(commands) = format.decode(frame, most) else { return Vec::new() };
    assert!((1..=most).contains(&commands.len()), "{} commands of {most}", commands.len());
    for command in &commands {
        bounded(command);
        if format == Format::Json {
            payloads(command, &mut |data| assert!(depth(data) <= PAYLOAD_DEPTH_MAX));
        }
    }
    commands
}

/// Writes commands as a frame; `None` if the format cannot carry them.
pub fn encode(format: Format, commands: &[Command]) -> Option<Bytes> {
    let written: Option<Vec<Bytes>> =
        commands.iter().map(|command| encode_command(format, command).ok()).collect();
    Some(format.join(&written?))
}

/// Commands written and read again in a format are the same commands.
pub fn comes_back(format: Format, commands: &[Command]) {
    let Some(frame) = encode(format, commands) else { return };
    let again = format.decode(&frame, commands.len());
    assert_eq!(again.as_deref(), Ok(commands), "in {format:?}");
}

/// The command as JSON can say it: payloads without what is left out between tokens, and `null` is
/// no payload. `None` if a payload is no JSON.
pub fn as_json(command: &Command) -> Option<Command> {
    let mut command = command.clone();
    let mut carried = true;
    payloads_mut(&mut command, &mut |data| match Format::Json.payload(data) {
        _ if data.is_empty() => {}
        None => carried = false,
        Some(value) if &value[..] == b"null" => *data = Bytes::new(),
        Some(value) => *data = value,
    });
    carried.then_some(command)
}

fn bounded(command: &Command) {
    let legal = match &command.request {
        None => command.id == 0,
        Some(Request::Send(_)) => true,
        Some(_) => command.id > 0,
    };
    assert!(legal, "{command:?}");
    match &command.request {
        Some(Request::Connect(request)) => {
            assert!(request.subs.len() <= SUBS_MAX && request.headers.len() <= HEADERS_MAX);
            let nodes: usize = request.subs.values().map(filter).sum();
            // A map's later entry of one key puts the earlier one away: so never more than that.
            assert!(nodes <= SUBS_MAX + FILTER_NODES_MAX, "{nodes} nodes");
        }
        Some(Request::Subscribe(request)) => assert!(filter(request) <= FILTER_NODES_MAX),
        _ => {}
    }
}

/// How many nodes a filter has; none may stand too deep.
fn filter(request: &SubscribeRequest) -> usize {
    fn nodes(node: &FilterNode, depth: usize) -> usize {
        assert!(depth <= FILTER_DEPTH_MAX, "a filter {depth} deep");
        1 + node.nodes.iter().map(|node| nodes(node, depth + 1)).sum::<usize>()
    }
    request.tf.as_ref().map_or(0, |node| nodes(node, 1))
}

fn payloads(command: &Command, see: &mut impl FnMut(&Bytes)) {
    payloads_mut(&mut command.clone(), &mut |data| see(data));
}

fn payloads_mut(command: &mut Command, see: &mut impl FnMut(&mut Bytes)) {
    match &mut command.request {
        Some(Request::Connect(request)) => {
            see(&mut request.data);
            request.subs.values_mut().for_each(|request| see(&mut request.data));
        }
        Some(Request::Subscribe(request)) => see(&mut request.data),
        Some(Request::Publish(request)) => see(&mut request.data),
        Some(Request::Send(request)) => see(&mut request.data),
        Some(Request::Rpc(request)) => see(&mut request.data),
        _ => {}
    }
}

/// How deep brackets nest outside of strings.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut text, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b'{' | b'[' if !text => depth += 1,
            b'}' | b']' if !text => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
