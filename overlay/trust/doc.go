// Package trust holds what a mesh's members sign about themselves and each
// other: the admin log, which says who is a member with which role; the epochs,
// which say who has which key; and the statements by which a member names its
// home, its delivery key and its sessions and proves itself on a connection.
// docs/trust.md sections 2 to 6 are its specification.
//
// Not here: messages, receipts, beacons and records, which belong to the
// features that send them; invite links and what travels with them, which are
// in the package invite below this one; files, sockets and clocks. Everything
// is a function of its arguments. Randomness is taken only for nonces and by
// HPKE. It has more lines than most because the log, its rules and the
// statements they judge are one closed thing.
//
// # Log entries
//
// Every log entry is an ident.Statement with one signature. Its body begins
// with four fields, so that the id of an entry covers its kind:
//
//	1 kind     text: genesis, invite, uninvite, admit, role, remove, leave, epoch, set, void
//	2 signer   32 bytes, Ed25519
//	3 parents  n × 32 bytes, ids ascending, 1 to 64; genesis has none
//	4 time     integer, Unix milliseconds; shown, never judged
//
// The fields that follow (? = may be missing; ids = n × 32 bytes, ascending,
// each once; times are Unix milliseconds, 0 = none):
//
//	genesis   5 name text   6 owner's member name text   7 blind key 32
//	          8 seal key 1216   9 nonce 32   10 commit of epoch 0's key 32
//	          (the member key is the signer; signed with a mesh id of zeros)
//	invite    5 invite key 32   6 role   7 uses 1..1000   8 expiry time
//	          9 admitter 32   10? preset
//	uninvite  5 ids of invites, ≤ 1000
//	admit     5 claim: a statement   6 role   7 name   8? preset
//	          9? id of the invite it uses up, the claim's
//	role      5 member 32   6 role
//	remove    5 targets: principals ascending, 1..256   6 keeps: as many × 32
//	          7? ids of invites it ends, ≤ 1000   8? epoch part
//	leave     5 keep 32
//	epoch     5 epoch part
//	set       5 key text, 1..64 bytes   6 value text, ≤ 16 KiB
//	void      5 ids of entries, ≤ 1000
//
// role is an integer: 1 member, 2 service, 3 admin. A name is 1 to 160 bytes
// (CheckName). preset is a body of its own: 1? tag, 2? list of groups (≤ 64),
// 3? mode (push, inbox, off), 5? name. An epoch part is a body of its own:
//
//	1 commit   32 bytes, SHA-256("commit" ‖ K)
//	2 wraps    32 bytes, SHA-256 of the wraps
//	3? prev    n × (32 bytes entry id ‖ 72 bytes box), ascending, ≤ 64;
//	           box = seal.BoxSeal(KDF(K, "prev" ‖ mesh id), aad = entry id, K')
//
// An entry is stored and sent with what it commits to, as a body again:
//
//	1 statement
//	2? wraps   n × (32 bytes member key ‖ 1168 bytes HPKE of K), ascending;
//	           info use "epoch", aad = commit
//	3? lists   list: for each keep that is not zero, in order, the bytes whose
//	           SHA-256 it is
//
// Limits: body 64 KiB, wraps 10,000, a list 16 MiB, all 32 MiB.
//
// # Statements of members
//
//	claim     1 invite id 32   2 member 32   3 blind 32   4 seal 1216
//	          5 peer id   6? wished name        (signed by member, blind, invite key)
//	bind      1 member 32   2 peer id   3 gen   4 until time   5? heads: ids ≤ 64
//	delivery  1 member 32   2 gen   3 seq   4 HPKE key 1216   5 created time
//	attest    1 member 32   2 session 32   3 name   4 rights (bits)
//	          5? guest: classic key 32   6 from time   7 until time   8 seq
//	proof     1 member 32   2 direction: 1 byte, 'i' or 'r'   3 nonce i 32
//	          4 nonce r 32   5 peer id i   6 peer id r   7? heads: ids ≤ 64   8 id of the bind
//	stream    1 member 32   2 id of proof i 32   3 id of proof r 32
//	          4 direction   5 encapsulated key 1120
//
// Peer ids are the binary form, at most 64 bytes. The rights, from bit 0: send,
// broadcast, state-read, state-write, file-read, file-write, call, profile,
// manage.
//
// # The log
//
// A log is a graph: past(e) is e's ancestors. State is a function of the set of
// entries; no clock and no order of arrival decides. An entry is refused for
// ever, by a property of it and its past alone, if: its form or signature is
// wrong; role or void is not the owner's; leave is the owner's; an invite or
// admit for an admin is not the owner's; its signer was admitted by no entry of
// its past; an admit's claim names no invite of its past, does not verify, or
// the admit names the invite and differs in role or is not signed by its
// admitter. All else is in the log and counts or not:
//
//  1. The owner's entries count; void strikes those of others it lists. A role
//     entry counts if its member is one in its past, and then the admits that
//     made it one count whatever else happens: what the owner built on, no
//     admin undoes. The owner's admits keep to uses and to its own uninvites.
//  2. An entry of an admin counts if its past made the signer an admin and no
//     counted entry of the owner that gives the signer less or removes it, and
//     no leave of the signer, ended that without having the entry in its past,
//     unless the entry's past holds that end and a later grant. A leave does
//     not reach behind an end by somebody else that had the entry in its past
//     and not the leave: a removed admin cannot take back what it did.
//  3. An admin's or a service's entry about the owner, about somebody who was
//     an admin at it, or about somebody about whom the owner concurrently
//     signed an entry that counts, does not count; of a remove it is the one
//     target that is left out.
//  4. Services sign admits alone, by invites that name them. Rule 2 for them
//     follows the admins'; a promotion to admin ends nothing. An invite that
//     names another as admitter counts if that one was a service in its past.
//     An admit by an invite needs the invite to count, its signer to be still
//     entitled at the admit, every counted uninvite (or remove that lists it)
//     to come after it, and to be one of the first uses by (depth, id).
//  5. A person is what its last counted entries say: out if one of them is a
//     remove or leave, else of the lowest role; names, keys and presets are of
//     the last admits, from the lowest id. Of the last sets of one key the
//     owner's counts, then the lowest id's.
//
// # Epochs
//
// Head epochs are the counted epochs (genesis, epoch, remove) in no other
// counted epoch's past. Effective key = KDF(their keys, concatenated by entry
// id; "effective"), epoch id = SHA-256(their ids, ascending). From epoch 0's key
// come, by KDF with the info and the mesh id behind it: "tag" (handshake tags),
// "id" (record ids), "log" (the log's copy at relays). The log is clean if for
// every key in any known admit that is no member now some head epoch has the
// admit in its past, and one of the entries that ended the membership (for an
// admit that is void the last void, if any), and no wrap for the key.
package trust
