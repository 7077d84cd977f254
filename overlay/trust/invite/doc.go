// Package invite holds what is handed from one person to another to let a new
// member in: the secret and the link, the sealed blob that tells the newcomer
// what it joins, and the sealed claim and welcome by which it gets in.
// docs/trust.md section 7 is its specification; the statements themselves are
// in package trust.
//
// It opens no socket and no file, and reads no clock.
//
// # Keys
//
// From the 16-byte secret, by KDF: "invite/key" is the seed of the Ed25519
// invite key, whose public half is in the invite's entry, and "invite/blob" the
// key of the blob. The secret never reaches a relay.
//
// # Link
//
// "claudemesh://join/" and the base64url, without padding, of the body
//
//	1 secret 16 bytes   2 peer id text   3? list of addresses, text, ≤ 16
//
// at most 4 KiB in all. The addresses are libp2p multiaddresses.
//
// # Blob
//
// seal.BoxSeal under the blob key, aad = the invite's public key, of the body
//
//	1 list of entries: genesis, the invite's past, the invite, each after its
//	  parents, without wraps and lists
//	2 admitter's member key 32   3 admitter's seal key 1216
//	4? admitter's peer id text   5 mesh name   6 inviter's name   7 role
//
// at most 16 MiB. Fields 5 to 7 are the card that is shown before anybody joins.
//
// # Claim and welcome
//
// A claim statement is sealed by HPKE, use "claim", to the admitter's seal key,
// aad = the invite's public key. A welcome is sealed by HPKE, use "welcome", to
// the newcomer's seal key, aad = the invite's public key, and is the body
//
//	1 list of all entries of the log, each after its parents, with wraps and lists
//	2 n × (32 bytes epoch's entry id ‖ 32 bytes key), ids ascending
//
// at most 64 MiB: the keys of the head epochs and of epoch 0. Earlier ones come
// out of the heads' prev fields.
package invite
