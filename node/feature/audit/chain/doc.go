// Package chain is the format of audit chains: what an entry says, its one encoding,
// its hash, and whether entries form a chain. It knows neither where entries are kept
// nor who writes them.
//
// # An entry
//
// An entry is a JSON object of texts and numbers in canonical form (RFC 8785: keys
// ascending, no blanks, only what must be escaped is), so that whoever stores it may
// take it apart and put it together again without changing it:
//
//	{"actor":"…","at":"2026-01-02T03:04:05.006Z","chain":"…","data":{…},
//	 "event":"member_admitted","i":1,"mesh":"…","prev":"genesis","v":1}
//
//	v      1, the version of this format
//	chain  whose it is: a member's key in 64 hex digits, or "local" for a node's own
//	i      counts up from 1
//	prev   the hash of entry i-1 in 64 hex digits; "genesis" before the first
//	mesh   the mesh's id; empty where an event concerns none
//	event  what happened: lower-case letters, digits and _
//	actor  the key of the member who did it in 64 hex digits; empty: this node
//	at     when, by the writer's clock, to the millisecond; shown, never judged
//	data   what more there is to say, texts under names
//
// Its hash is SHA-256 of exactly these bytes. So an entry fixes all before it, fields
// cannot run into each other, and nothing but SHA-256 is needed to check a chain.
package chain
