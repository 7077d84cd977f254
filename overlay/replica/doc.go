// Package replica holds the shared records of a mesh: signed, ordered in logs with
// one writer each, and alike on all nodes once they have met. docs/delivery.md
// section 7 is its specification, DESIGN.md says why it is built so.
//
// Here: the format of records, the live sets and their digests, the exchange between
// two replicas, news, repair, forks, trims, incarnations, what is kept of authors that
// are gone. Not here: what records mean, how they are sealed and folded (node/record),
// where bytes are kept (store/records; see Tx), streams and gossip, who is a member
// (Authors). The package opens no file, and reads no clock but Config.Now. It has more
// than 1,000 lines because the live set, the exchange and the repair are one set of
// rules: each is right only by what the others guarantee.
//
// # Records
//
//	record     = statement ‖ ciphertext
//	statement  of package ident, kind record, one signature, of a body of fields:
//	             1 author       32 bytes, the blind key that signs
//	             2 incarnation  integer below 2^63
//	             3 n            integer from 1, below 2^63
//	             4 slot         32 bytes
//	             5 clock        integer: 48 bits Unix ms, 16 bits counter
//	             6 epoch        32 bytes, zeros if the ciphertext is not sealed
//	             7 deleted      1; left out if not
//	             8 cipher       SHA-256 of the ciphertext
//	             9 digest       32 bytes
//	hash       = SHA-256 of the body with zeros for its digest
//	digest     = sum mod 2^256, big-endian, of the hashes of the records of the log
//	             that are live after this one, itself among them
//
// The signature is made with a mesh id of zeros: the key exists in one mesh only. A
// body has at most 1 KiB, a ciphertext 64 KiB. Fields above 9 belong to later versions.
// A ciphertext is bound to the fields 1 to 7 (AAD).
//
// A log is (author, incarnation); its numbers rise by one. Live is, of each log and
// slot, the record of the highest number. The records other authors have in that slot
// stay.
//
// Two slots are the replica's own, their ciphertext is not sealed, and Reserved tells
// them: SHA-256("claudemesh/1/slot/trim") and SHA-256("claudemesh/1/slot/replaced").
//
//	trim       takes out of its own log what it lists: (uvarint distance to the number
//	           before, the first 8 bytes of the hash) each, numbers ascending, all below
//	           its own
//	replaced   all incarnations of its author below its own are dropped, for ever
//
// # Claims
//
// For each log a replica keeps m, the highest number it holds, with the sum and count
// of the hashes it holds. By m it claims: I hold every record up to m of this log that
// is still live. Records above m come ascending, and m rises with each commit. A set is
// exact if its sum is the digest in its record m.
//
// # The exchange: records/1
//
// A mesh stream with frames of package wire. The first byte of a frame is its type;
// unknown types are skipped, 64 at most. log = author 32 ‖ incarnation 8; numbers are
// 8 bytes, big-endian.
//
//	 1 sum      fields 2 hash of the vector, 3 Unix ms of mesh time, 5 own blind key or
//	            zeros, 7 sum of the hashes of the evidence held about the other side's
//	            blind key (in answers)
//	 2 vector   n × (log ‖ m 8 ‖ first 8 bytes of the sum), logs ascending
//	 3 want     log ‖ m ‖ how many records at most, 8 bytes
//	 4 list     log
//	 5 pick     log ‖ numbers as uvarint distances to the one before, up to 4096
//	 6 old      empty
//	 7 records  n × (uvarint length ‖ record); closed after 256 KiB
//	 8 entries  n × (number 8 ‖ hash 32), ascending
//	 9 end      of an answer
//	10 turn     1 byte: 1 if the turn changed something here
//
// Frames are at most 64 KiB, those of records 256 KiB and a record. The sides take
// turns, the opener first. In a turn one asks and the other answers:
//
//	sum    → its sum; if the hashes differ its vector, in frames; end
//	want   → records of the log above m, ascending, so many at most; end
//	list   → entries of all it holds of the log, then its highest record; end
//	pick   → the records it holds of these numbers; end
//	old    → its evidence about the asker's blind key, as records; end
//	turn   ends the turn: now the other side asks
//
// In a turn each log is wanted once and listed once, no more records are picked of it
// than its list had, and the evidence is asked for once.
//
// Up to 32 wants may be on their way at once. The exchange is over after two turns in a
// row that changed nothing, and after 12 at the latest. The hash of a vector is SHA-256
// of its entries. Logs of authors that the asker does not know, or whose incarnation is
// replaced, are left alone. Of the others, given the asker's entry and the answerer's:
//
//   - their m is higher: want; then compare anew.
//   - same m, other sum: list. If the asker is not exact and the answerer is, the asker
//     takes the answerer's set: it picks what it lacks, and when all of it is there and
//     adds up to the signed digest, drops what it has beyond. If both are exact, a fork,
//     it does so if the answerer's digest is higher. If neither is, it picks what it
//     lacks and keeps what is live; of two records with one number the one of the
//     higher hash stands.
//   - the author is gone: list, and pick what its keep lists name.
//   - the asker's own log, their m not lower: list, and pick what it does not hold as
//     evidence. If their m is higher, or the sets are both exact, its log has forked.
//
// News, by gossip, is a record: n = m+1 is applied, a higher one asks for an exchange.
// What is taken of one author has a pace (pace.go): news beyond it is left to the
// exchanges, and those want no more of its records than it has left.
//
// # Evidence
//
// A record that was live and does not stand any more though it is later, by (clock,
// incarnation, n, hash), than all live records of its author and slot is kept for 30
// days and offered to its author at each exchange: what a fork, a set taken over, or a
// replaced incarnation leaves behind. Honest logs leave none.
//
// # Keep lists
//
// What counts of an author that is gone: log 40 ‖ n 8 ‖ hash 32 of each record,
// ascending as bytes, at most 200,000. The admin log has the SHA-256 of the list; of
// several lists the union counts.
package replica
