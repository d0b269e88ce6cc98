//! The table of all codes.
//! Invariant: rows of one area stand together and rise; a published row is never given a new meaning.
//! Not here: how a failure is built or shown.

use super::Kind::{Fatal, Reject, Retry};
use super::{Code, Exit};

macro_rules! codes {
    ($($name:ident = $id:literal, $exit:ident, $http:literal, $kind:ident, $title:literal,
        $why:literal, $hint:literal;)*) => {
        $(
            #[doc = $title]
            pub static $name: Code = Code {
                id: $id,
                title: $title,
                why: $why,
                hint: $hint,
                exit: Exit::$exit,
                http: $http,
                kind: $kind,
            };
        )*
        /// Every row, in the order of the document.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    CLI_001 = "CLI-001", USAGE, 400, Reject, "A command was used in a wrong way",
        "The command line does not fit what the command expects.",
        "Read `peerloom help COMMAND`.";
    CLI_002 = "CLI-002", FAILURE, 500, Fatal, "Input or output of the command failed",
        "Standard input, standard output or a file named on the command line could not be used.",
        "Check the file, the disk and the program at the other end of the pipe.";
    CLI_003 = "CLI-003", UNREACHABLE, 503, Retry, "The node does not answer",
        "No node runs with this data folder, or it listens elsewhere.",
        "Start it with `peerloom run`, or point to it with `--data-dir` or `--api`.";
    CLI_004 = "CLI-004", UNREACHABLE, 503, Fatal, "There is no token for the API",
        "The token file does not exist. The node writes it at its first start.",
        "Start the node with `peerloom run`, or name its file with `--token-file`.";
    CLI_005 = "CLI-005", FAILURE, 502, Fatal, "The answer is not that of a Peerloom node",
        "Another program listens at the address, or the node has a different version.",
        "Check `--api`, and compare `peerloom version` with the version of the node.";
    CLI_006 = "CLI-006", TIMED_OUT, 504, Retry, "The node did not answer in time",
        "The node is busy, or the operation takes longer than the command waits.",
        "Wait longer with `--timeout 60s`; `peerloom health` tells how the node is.";
    CLI_007 = "CLI-007", USAGE, 400, Reject, "The token is not sent over this address",
        "The address of the API is not on this computer, and without encryption everybody on the way could read the token.",
        "Log in to the node's computer, or forward its port, for example with `ssh -L 7070:127.0.0.1:7070 HOST`.";

    CFG_001 = "CFG-001", CONFIG, 400, Fatal, "A setting does not exist",
        "The configuration file holds a key that this version does not know. It is refused, because a mistyped setting that is ignored would surprise later.",
        "Correct or remove the key; `peerloom config show` lists all of them.";
    CFG_002 = "CFG-002", CONFIG, 400, Fatal, "A setting has a wrong value",
        "A flag, an environment variable or the configuration file gives a value that cannot be used. A wrong flag is wrong use of the command line and ends it with exit code 2.",
        "Correct the value at the named place; `peerloom config show --origin` tells where each one comes from.";
    CFG_003 = "CFG-003", CONFIG, 500, Fatal, "The configuration file cannot be read",
        "The file is missing although it was named, is too large, or this user may not read it.",
        "Check the path and the file's permissions, or leave out `--config`.";
    CFG_004 = "CFG-004", CONFIG, 400, Fatal, "The configuration file is not valid TOML",
        "The text breaks the rules of TOML at the named line and column.",
        "Correct the named line.";
    CFG_005 = "CFG-005", CONFIG, 500, Fatal, "There is no home folder",
        "The default folders are derived from the home folder, and `HOME` is not set.",
        "Set HOME, or give `--data-dir` and `--config`.";
    CFG_006 = "CFG-006", CONFIG, 400, Fatal, "Two settings do not fit together",
        "Each setting is right by itself, but not together with the other one, such as two listeners that need the same port.",
        "Change one of the two named settings.";

    KEY_001 = "KEY-001", NOT_FOUND, 404, Fatal, "There is no identity key yet",
        "The data folder holds no `identity.key`. A node makes it at its first start.",
        "Start the node once with `peerloom run`, or bring a key with `peerloom key import FILE`.";
    KEY_002 = "KEY-002", FAILURE, 500, Fatal, "A secret file can be used by others",
        "The permissions of the file let other users of this computer read, change or run it, so its secret may be known already.",
        "If nobody else had access, take the permissions away with `chmod 600 FILE`; otherwise use a new key.";
    KEY_003 = "KEY-003", FAILURE, 500, Fatal, "A secret file is damaged",
        "The file does not hold what it should. It was left as it is.",
        "Restore the file from a backup, or move it away to have a new one made.";
    KEY_004 = "KEY-004", FAILURE, 500, Fatal, "A secret file cannot be read or written",
        "The operating system refused access to the file, or it is not an ordinary file.",
        "Check owner and permissions of the file and its folder.";
    KEY_005 = "KEY-005", FAILURE, 409, Fatal, "There is an identity key already",
        "An import would replace the key of this data folder, and with it the peer's identity.",
        "Use another `--data-dir`, or replace the key with `--force`, which keeps the old one as a backup.";
    KEY_006 = "KEY-006", FAILURE, 409, Reject, "The file exists already",
        "A key is never exported over an existing file.",
        "Choose a new file name.";
    KEY_007 = "KEY-007", USAGE, 400, Reject, "A key is not written to a terminal",
        "The exported key is binary and secret; on a screen it would be of no use and visible to others.",
        "Name a file, or pipe the output into a program.";

    DATA_001 = "DATA-001", FAILURE, 409, Fatal, "The data folder is in use",
        "Another node works with the same data folder. Two nodes with one identity and one database would harm each other.",
        "Stop the other node, or give this one its own folder with `--data-dir`.";
    DATA_002 = "DATA-002", FAILURE, 500, Fatal, "The data folder cannot be used",
        "It cannot be created or written, or it is not a folder.",
        "Check the path, its owner and its permissions, or choose another folder with `--data-dir`.";
    DATA_003 = "DATA-003", FAILURE, 500, Fatal, "Others may write to the data folder",
        "Another user of this computer could replace the files in it, the key among them.",
        "Take the permission away with `chmod 700 FOLDER`, or choose another folder with `--data-dir`.";
    DATA_004 = "DATA-004", FAILURE, 500, Fatal, "The database was written by a newer version",
        "Its layout is newer than this program knows. It was left as it is.",
        "Use the newer version of Peerloom, or another `--data-dir`.";
    DATA_005 = "DATA-005", FAILURE, 500, Fatal, "The database is damaged",
        "The file cannot be opened as a database. It was not replaced.",
        "Restore it from a backup, or move it away: the node then starts with an empty address book and keeps its identity.";
    DATA_006 = "DATA-006", FAILURE, 500, Fatal, "The database cannot be read or written",
        "The operating system reported an error, such as a full disk.",
        "Check the disk's free space and health and the file's permissions.";

    AUD_001 = "AUD-001", UNVERIFIED, 500, Fatal, "The audit log is broken",
        "A line was changed, removed, moved or cut after it was written, at the named file and line. Everything before it is as it was written.",
        "Keep a copy of the folder for whoever looks into it. The node goes on writing; to begin a new log, stop it and move the folder `audit` away.";
    AUD_002 = "AUD-002", FAILURE, 500, Fatal, "The audit log cannot be read",
        "The operating system refused access to a file of the log.",
        "Read it as the user that runs the node, and check the disk.";
    AUD_003 = "AUD-003", NOT_FOUND, 404, Fatal, "There is no audit log",
        "The data folder has no folder `audit` with lines in it. A node begins one at its first start.",
        "Name the node's folder with `--data-dir`. If a node did run there, somebody has removed its log.";
    AUD_004 = "AUD-004", NOT_FOUND, 404, Reject, "The audit log has no such line",
        "No line that is kept has this reference. Denials that came too fast have none of their own.",
        "Compare the reference; the oldest files of the log are removed in time.";

    POL_001 = "POL-001", CONFIG, 400, Fatal, "The rules file is not valid TOML",
        "The text breaks the rules of TOML at the named line and column. The rules that were in force stay in force; at a start the node does not run without its rules.",
        "Correct the named line.";
    POL_002 = "POL-002", CONFIG, 400, Fatal, "The rules file has an unknown key",
        "Only `peers` and `nets` below `[allow]` and `[deny]` exist.",
        "Correct or remove the key.";
    POL_003 = "POL-003", CONFIG, 400, Fatal, "The rules file has a wrong value",
        "A peer must be a PeerId, a net an IP address or an address range such as `192.168.0.0/16`.",
        "Correct the named value.";
    POL_004 = "POL-004", CONFIG, 500, Fatal, "The rules file cannot be read",
        "The operating system refused access, or the file is too large. A missing file is no error: it means no rules.",
        "Check the file's permissions and size.";
    POL_005 = "POL-005", CONFIG, 400, Fatal, "A policy is not written in Cedar",
        "The text breaks the rules of the language at the named line and column. What was in force stays in force; at a start the node does not run without its policies.",
        "Correct the named line; `peerloom policy check` reads the files as the node does.";
    POL_006 = "POL-006", CONFIG, 400, Fatal, "A policy does not fit the schema",
        "It names something that does not exist, or compares what cannot be compared, so it would never do what it says.",
        "Correct it; `peerloom policy schema` shows what policies can speak of.";
    POL_007 = "POL-007", CONFIG, 400, Fatal, "A policy has no usable @id or @reason",
        "Every policy says by which name it is known and, to the person whom it stops, what is missing and whom to ask.",
        "Write both in front of the policy.";
    POL_008 = "POL-008", CONFIG, 400, Fatal, "Two policies have the same @id",
        "A decision names the policies behind it, so each needs a name of its own, also beside those of the profile.",
        "Rename one of the two.";
    POL_009 = "POL-009", CONFIG, 400, Fatal, "An entry of entities.toml or tests.toml cannot be used",
        "The text breaks the rules of TOML, or a key or value has no meaning at the named line and column.",
        "Correct the named line.";
    POL_010 = "POL-010", CONFIG, 400, Fatal, "There is too much in the policy folder",
        "A file is too large or too deep, or there are more files, policies, groups or tests than a node takes.",
        "Say it with fewer; groups and beginnings of names stand for many.";
    POL_011 = "POL-011", CONFIG, 400, Fatal, "A policy is not tested",
        "For each action that a policy names, one test has to expect that it is allowed and one that it is denied.",
        "Add the missing test to `policy/tests.toml`.";
    POL_012 = "POL-012", CONFIG, 400, Fatal, "A test of the policies fails",
        "The policies decide something else than the test expects.",
        "Correct the policies or the test; `peerloom policy explain` shows what decided.";
    POL_013 = "POL-013", CONFIG, 400, Fatal, "The policies could lock out the operator",
        "A policy that forbids can be about this node's own control interface. Then nobody could mend it without a restart.",
        "Write `principal is Peer` into it, or name other actions.";
    POL_014 = "POL-014", CONFIG, 500, Fatal, "The policy folder cannot be read",
        "The operating system refused access to the folder or to a file in it.",
        "Check the permissions of the named file or folder.";
    POL_101 = "POL-101", DENIED, 403, Reject, "The policy denies it",
        "A rule of this node forbids the operation.",
        "Ask whoever runs the node; `peerloom policy explain` shows there which rule decided.";

    NET_101 = "NET-101", USAGE, 400, Reject, "This is no address",
        "The text is not a multiaddr, or its parts do not fit together.",
        "Write it like /ip4/192.0.2.7/tcp/7072/p2p/12D3KooW..., as `peerloom status` of the other node shows it.";
    NET_102 = "NET-102", FAILURE, 500, Fatal, "Cannot listen: the port is in use",
        "Another program, or another node, listens on the same port.",
        "Stop the other program, or choose another port with `--listen` or `--http`.";
    NET_103 = "NET-103", FAILURE, 500, Fatal, "Cannot listen on an address",
        "The address is not one of this computer, its kind is not available here, or the port needs more rights.",
        "Choose an address of this computer and a port above 1023 with `--listen` or `--http`.";
    NET_104 = "NET-104", UNVERIFIED, 502, Reject, "Another peer answers at the address",
        "The key that the other side proved belongs to another PeerId than the address names.",
        "Ask the other side for its current address. If it should not have changed, do not trust the one that answers.";
    NET_105 = "NET-105", USAGE, 400, Reject, "This kind of address is not supported",
        "The address is well formed, but no transport of this peer can use it.",
        "Use an address with tcp, quic-v1, ws, webrtc-direct, or webrtc behind a circuit.";
    NET_106 = "NET-106", NOT_FOUND, 404, Reject, "The peer is not connected",
        "The operation needs an open connection to the peer, and there is none.",
        "Connect first with `peerloom peers connect ADDRESS`.";
    NET_107 = "NET-107", USAGE, 400, Reject, "This is no PeerId",
        "The text does not decode to the hash of a public key.",
        "Copy the whole id; those of Peerloom begin with 12D3KooW.";
    NET_108 = "NET-108", TIMED_OUT, 504, Retry, "A peer did not answer in time",
        "The peer is gone, busy, or the path to it is broken.",
        "Try again; `peerloom peers` shows whether it is still connected.";
    NET_109 = "NET-109", FAILURE, 503, Retry, "Too many connections or dials",
        "A limit on connections or on dials under way is reached.",
        "Try again later, or disconnect a peer.";
    NET_110 = "NET-110", FAILURE, 502, Retry, "Cannot connect to an address",
        "Nobody answers there, or a network or firewall lies between.",
        "Check that the other node runs and that the address is current.";
    NET_111 = "NET-111", FAILURE, 502, Retry, "The peer hung up at once",
        "It answered, proved its key and closed the connection: its rules may not admit this node, or it has no room.",
        "Ask whoever runs it whether this node's id, as `peerloom key show` prints it, is allowed there.";

    API_001 = "API-001", NOT_FOUND, 404, Reject, "The API has no such path",
        "The path of the request names no operation.",
        "The API begins with /api/v1/, the page is at /; the node may have another version.";
    API_002 = "API-002", USAGE, 405, Reject, "The path takes another method",
        "Reading operations take GET, all others POST.",
        "Use a method that the Allow header names.";
    API_003 = "API-003", USAGE, 400, Reject, "The request is malformed",
        "A field is missing, unknown, too long, or of the wrong kind.",
        "Compare names and types of the fields with the description of the API.";
    API_004 = "API-004", USAGE, 413, Reject, "The request is too large",
        "Requests have an upper bound, so that one caller cannot fill the node's memory.",
        "Send less in one request; a body has at most 64 KiB.";
    API_005 = "API-005", USAGE, 415, Reject, "The body is not declared as JSON",
        "A web form of another site could otherwise send requests in a person's name.",
        "Send the header Content-Type: application/json with the body.";
    API_006 = "API-006", USAGE, 431, Reject, "The headers are too large",
        "Number and size of header lines are bounded.",
        "Send at most 64 headers and 16 KiB of them.";
    API_007 = "API-007", USAGE, 400, Reject, "There is no protocol upgrade here",
        "The control API speaks plain HTTP/1.1 only.",
        "Read GET /api/v1/events for a stream.";
    API_008 = "API-008", USAGE, 400, Reject, "A header tries to replace the method",
        "A replaced method would bypass the checks of the real one.",
        "Send the real method and drop the override header.";
    API_009 = "API-009", TIMED_OUT, 408, Retry, "The body arrived too slowly",
        "Slow requests are ended, so that they cannot hold places for ever.",
        "Send the whole body within 10 seconds.";
    API_010 = "API-010", FAILURE, 429, Retry, "Too many readers of the event stream",
        "The number of readers is bounded, because each costs memory.",
        "Close another reader of /api/v1/events and try again.";
    API_011 = "API-011", FAILURE, 503, Retry, "Too many HTTP connections",
        "All places for connections from other machines are taken.",
        "Wait a moment and try again.";
    API_012 = "API-012", TIMED_OUT, 504, Retry, "The node did not answer its API in time",
        "The part that should answer is busy or gone.",
        "Try again; if it stays so, look at `peerloom health` and the log.";

    INV_001 = "INV-001", USAGE, 400, Reject, "The invitation cannot be used",
        "The text is no whole invitation, or it was changed or cut on its way.",
        "Copy all of it again, from https:// to the last character, or ask for a new one.";
    INV_002 = "INV-002", DENIED, 400, Reject, "The invitation does not count at this time",
        "It has ended or has not begun. A clock that is wrong here looks the same.",
        "Ask for a new one; if it is new, check the date and time of this computer.";
    INV_003 = "INV-003", DENIED, 403, Reject, "This node may not invite others",
        "Only the founder of a network and members with the right to invite can make invitations there.",
        "Ask whoever runs the network; `peerloom grant ls` shows what this node holds.";
    INV_004 = "INV-004", DENIED, 403, Reject, "The invitation would give more than this node holds",
        "Nobody can pass on more rights, wider or longer, than they have themselves.",
        "Invite to less: a smaller role, or a room that this node has rights for.";
    INV_005 = "INV-005", USAGE, 400, Reject, "The invitation does not fit a link",
        "A link has at most 1,200 characters, so that its QR code stays readable.",
        "Use a shorter room name or a shorter address of the page.";
    INV_006 = "INV-006", NOT_FOUND, 404, Reject, "There is no such invitation or grant",
        "This node made nothing with that id, or it has ended; only who made a grant can take it back.",
        "`peerloom invite ls` and `peerloom grant ls` list what can be taken back.";
    INV_007 = "INV-007", FAILURE, 409, Reject, "This node belongs to another network",
        "A node is in one network at a time, and its policy folder names another one than the invitation.",
        "Join with another data folder (`--data-dir`), or remove the old network from the policy folder.";
    INV_008 = "INV-008", FAILURE, 409, Reject, "There are too many grants",
        "The number of grants that a node keeps is bounded.",
        "Wait until some have ended, or take back what is not needed.";
    INV_009 = "INV-009", DENIED, 403, Reject, "The invitation is not accepted",
        "Whoever it leads to was reached and does not take it: it is used up, was taken back, or is not theirs.",
        "Ask for a new one. This node is as it was before.";

    AUTH_001 = "AUTH-001", DENIED, 401, Reject, "The token is missing",
        "The control API accepts only requests that carry the node's token.",
        "Send Authorization: Bearer with the token from the file that `peerloom paths` names.";
    AUTH_002 = "AUTH-002", DENIED, 401, Reject, "The token is wrong",
        "The token is that of another node, or of this one before its token file was made anew.",
        "Use the data folder of the node you talk to (`--data-dir`), or name its `--token-file`.";
    AUTH_003 = "AUTH-003", DENIED, 403, Reject, "The request names a foreign host",
        "A web site may point its own name at this computer to reach the node; such requests are refused.",
        "Use the address that `peerloom run` printed, with localhost, 127.0.0.1 or [::1].";
    AUTH_004 = "AUTH-004", DENIED, 403, Reject, "The request comes from a foreign page",
        "A page of another site asked for it.",
        "Call the API from the node's own page or from a program, not from another site.";
    AUTH_005 = "AUTH-005", DENIED, 403, Reject, "The request comes from another machine",
        "The control API answers only on the node's own computer.",
        "Run the command on the node's machine, for example through ssh.";
    AUTH_006 = "AUTH-006", DENIED, 403, Reject, "The request was forwarded by a proxy",
        "Behind a proxy the node cannot tell where a request comes from.",
        "Call the API directly, not through a proxy.";

    NODE_001 = "NODE-001", FAILURE, 503, Retry, "The node is busy",
        "More requests are under way than the node takes at once.",
        "Try again in a moment.";
    NODE_002 = "NODE-002", TIMED_OUT, 504, Retry, "A part of the node did not answer in time",
        "It is busy, or it is being restarted.",
        "Try again; `peerloom health` shows a part that keeps failing.";
    NODE_003 = "NODE-003", UNREACHABLE, 503, Retry, "The node is stopping or restarting",
        "The part that should answer has ended.",
        "Try again in a moment, or start the node again.";
    NODE_004 = "NODE-004", FAILURE, 500, Fatal, "The node cannot start",
        "One of its parts could not be set up.",
        "Read the message, and the log with `-v`.";
    NODE_005 = "NODE-005", RESTARTS, 500, Fatal, "The node gave up after too many restarts",
        "Its parts failed again and again within a minute, so a further restart would not help.",
        "Read the log, report the failure, and start the node again.";
    NODE_006 = "NODE-006", FAILURE, 500, Fatal, "An internal error",
        "The node broke a promise of its own.",
        "Report it together with the log.";

    ROOM_001 = "ROOM-001", USAGE, 400, Reject, "This is no name for a room",
        "A name has 1 to 64 characters, each a lower-case letter a to z, a digit, or one of - _ .",
        "Choose another name, such as lobby or team-7.";
    ROOM_002 = "ROOM-002", NOT_FOUND, 404, Reject, "Not in this room",
        "Messages can be sent and read only in a room that was joined.",
        "Join it first with `peerloom room create ROOM` or `peerloom chat ROOM`.";
    ROOM_003 = "ROOM-003", FAILURE, 503, Retry, "Nobody to send to yet",
        "No connected peer is in the room, so the message would reach nobody.",
        "Wait until a peer is connected and in the room, then send again.";
    ROOM_004 = "ROOM-004", FAILURE, 409, Fatal, "In too many rooms",
        "Every room is a mesh to maintain, so their number is bounded.",
        "Leave a room first with `peerloom room leave ROOM`.";
    ROOM_005 = "ROOM-005", USAGE, 400, Reject, "The text is empty",
        "Nothing is left of the text without spaces and invisible characters.",
        "Write something that can be seen.";
    ROOM_006 = "ROOM-006", USAGE, 413, Reject, "The text is too long",
        "One message holds at most 4 KiB of text.",
        "Send it in several messages.";
    ROOM_007 = "ROOM-007", FAILURE, 503, Retry, "Too much waits to be sent",
        "Messages and joins under way are bounded, and the network takes them more slowly than they come.",
        "Send again in a moment, and less at once.";
    ROOM_008 = "ROOM-008", TIMED_OUT, 504, Retry, "The room gave no answer in time",
        "The network did not take the message or the join before the deadline.",
        "Try again; if it stays so, look at the health of this peer.";
    ROOM_009 = "ROOM-009", FAILURE, 409, Reject, "The room was left while it was being joined",
        "Another request left the room before the join was done.",
        "Join the room again if you want to be in it.";
    ROOM_010 = "ROOM-010", FAILURE, 500, Fatal, "The room cannot be joined",
        "The gossip layer refused to follow the room's topic, for the reason in the message.",
        "Look at the reason, then join again.";
    ROOM_011 = "ROOM-011", FAILURE, 500, Fatal, "The message cannot be sent",
        "The gossip layer refused to publish it, for the reason in the message.",
        "Look at the reason, then send again.";

    ROOM_012 = "ROOM-012", FAILURE, 503, Retry, "The key of the room has not come yet",
        "What is said in a room for members is sealed with the room's key, and no connected node has given it.",
        "It comes from a connected node once this peer has shown a grant for the room; ask whoever made the room for an invitation if you have none.";

    DHT_001 = "DHT-001", FAILURE, 503, Retry, "Too many lookups at once",
        "The number of lookups under way is bounded.",
        "Ask again in a moment, and fewer things at once.";
    DHT_002 = "DHT-002", TIMED_OUT, 504, Retry, "The lookup took too long",
        "Too few peers answered before the deadline.",
        "Ask again; if it stays so, look at the health of this peer.";
    DHT_003 = "DHT-003", FAILURE, 503, Retry, "Nobody to ask",
        "The routing table is empty: no connected peer speaks the protocol.",
        "Connect to a node first, for example with a bootstrap address.";
    DHT_004 = "DHT-004", NOT_FOUND, 404, Reject, "Not found in the table",
        "No peer that was asked knows the peer, the record or a provider.",
        "Check the id or key; a peer that is offline or a browser may not be found, and a record lives 48 hours.";
    DHT_005 = "DHT-005", USAGE, 400, Reject, "The key is empty or too long",
        "A key has 1 to 256 bytes.",
        "Use a hash as the key.";
    DHT_006 = "DHT-006", USAGE, 413, Reject, "The value is too long",
        "A value has at most 4 KiB, so that several fit one answer.",
        "Store the hash of the value instead.";
    DHT_007 = "DHT-007", FAILURE, 409, Fatal, "Provider of too many keys",
        "Every provided key has to be announced again and again, so their number is bounded.",
        "Provide one key that stands for many.";
    DHT_008 = "DHT-008", FAILURE, 502, Retry, "The lookup failed",
        "The peers that were asked gave no usable answer, for the reason in the message.",
        "Look at the reason, then ask again.";
    DHT_009 = "DHT-009", UNREACHABLE, 503, Fatal, "The peer is stopping",
        "Lookups end when the peer stops.",
        "Start the peer again.";

    WEB_001 = "WEB-001", FAILURE, 503, Retry, "The browser peer could not be loaded",
        "Its WebAssembly file did not arrive whole.",
        "Check that the server is running and try again.";
    WEB_002 = "WEB-002", FAILURE, 500, Fatal, "The browser peer could not be started",
        "The browser lacks a feature, or the page's rules forbid WebAssembly.",
        "Use a current Firefox, Chromium or Safari, and allow 'wasm-unsafe-eval' in the page's CSP.";
    WEB_003 = "WEB-003", FAILURE, 409, Reject, "The browser peer is stopped",
        "It was stopped before the call, and a stopped peer does not come back.",
        "Make a new one with createPeer().";
    WEB_004 = "WEB-004", FAILURE, 500, Fatal, "The browser peer crashed",
        "It broke a promise of its own and cannot go on.",
        "Reload the page, and report the console's last lines.";
    WEB_005 = "WEB-005", FAILURE, 500, Fatal, "An error of the browser peer without a code",
        "Something failed that nobody expected to fail.",
        "Please report it together with the message.";
    WEB_006 = "WEB-006", TIMED_OUT, 504, Retry, "The browser peer gave no answer in time",
        "It is busy, or the path to the other side is broken.",
        "Try again; the page shows how the peer is connected.";
    WEB_007 = "WEB-007", FAILURE, 503, Retry, "The browser peer is busy",
        "More calls are under way than the browser peer takes at once.",
        "Wait for answers before you call again.";
    WEB_008 = "WEB-008", FAILURE, 500, Fatal, "The key kept in the browser cannot be used",
        "It is damaged, or a newer version of the page wrote it. It is never replaced in silence.",
        "Reload the page to get its newest version, or use another identity.";
    WEB_009 = "WEB-009", USAGE, 400, Reject, "An option of the browser peer has a wrong value",
        "An option given at the start cannot be used; the message names it.",
        "Correct the option and start again.";
}
