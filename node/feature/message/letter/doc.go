// Package letter is the wire format of durable messages: the message and receipt
// statements and the letters that carry them. It checks form and limits; who may
// say what is judged elsewhere. docs/delivery.md and docs/trust.md sections 2
// and 5 are its specification.
//
// Bodies are made of the fields of package ident: tags ascending, an unknown odd
// one is ignored, an unknown even one refused.
//
// # The message statement, kind "message", signed by the session
//
//	 1  id             16 bytes, a UUID
//	 2  sender member  32 bytes: the origin
//	 3  session        32 bytes: the signer
//	 4  reach          1 direct, 2 mesh
//	 5  to             up to 256 keys of 32 bytes, members or sessions, as
//	                   resolved by the sender, each once; reach mesh: those of a
//	                   list that were named beside groups, missing if none
//	 6  targets        mesh: list of up to 16 groups and "*" as typed, without a
//	                   mesh's name, each once, up to 256 bytes, 1 KiB together;
//	                   who is meant is found out at each recipient's home
//	 7  priority       1 now, 2 next, 3 low
//	 8  body           text, up to 65,536 bytes
//	 9  subtype        text, up to 32 bytes; may be missing
//	10  files          list of up to 16 references of up to 64 bytes; may be missing
//	11  reply to       16 bytes: the id of what it answers; may be missing
//	13  thread         16 bytes: the id of the first message; missing in that one
//	14  cause          16 bytes: see CauseOf
//	15  depth          answers between the cause's first message and this one
//	16  created        Unix milliseconds at acceptance
//	17  to live        milliseconds, up to 30 days
//
// # The receipt statement, kind "receipt", signed by the recipient's member
//
//	1  signer         32 bytes
//	2  items          list of up to 512, each made of fields:
//	       1  origin      32 bytes
//	       2  id          16 bytes
//	       3  hash        32 bytes: SHA-256 of the message statement's body
//	       4  outcome     1 delivered, 2 refused, 3 later, 4 seen, 5 noted
//	       5  addresses   keys of 32 bytes the outcome is for; none: all at
//	                       the signer's home. Of a message to many: the sessions,
//	                       or the member, it is kept for; none: for nobody there
//	       7  reason      text for people, up to 200 bytes; may be missing
//
// Outcome "noted" answers a receipt that came as a letter: hash is the id of
// that receipt statement, origin and id are zero.
//
// # The letter
//
// One byte says what follows: 1 a message, 2 a receipt. A receipt letter is the
// receipt statement. A message letter is fields:
//
//	1  statement      the message
//	2  attestation    of its session, as the sender's member gave it
//	3  ord            the sender's clock at acceptance, strictly rising
//	4  addresses      those at this home, 10 bytes each: index in "to" (2), then
//	                  ord of the sender's last unfinished message to the same
//	                  address with the same priority, or 0 (8). Index 256 is
//	                  whoever the targets mean there; the ord is then that of the
//	                  last message to many to this home
//	5  remaining      milliseconds to live
//
// # The cry, kind "cry", signed by the sender's member
//
// It carries a message to many through the air to all at once.
//
//	1  letter         with the one address 256
//	2  members        whose homes it is for: the first 8 bytes of each key,
//	                  ascending, up to 4,096
//	3  before         list of up to 8, newest first, of the sender's last messages to
//	                  many of this priority, one per set of targets, that may still
//	                  be on their way, each 1 ord, 2 targets; missing if none. The
//	                  newest that means somebody there is the one before it
//
// A letter never exceeds MaxLetter, a receipt never MaxReceipt.
package letter
