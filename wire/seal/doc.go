// Package seal makes and opens everything that is kept secret: the content of
// journal records, personal columns, a contact's name and addresses, and the
// keys themselves. Destroying a key is what makes an erasure true, so nothing
// personal stands outside a seal of this package.
//
// Sealing a record gives the same bytes at every node (rules 1, 31). All other
// forms use randomness and are made once, by whoever proposes them, and then
// passed on as bytes. It has no I/O but the mesh key's file, and no clock.
// Keys print as their id, never as their bytes.
//
// All forms begin with a version byte, now 1; a higher one is ErrVersion.
// Integers are big endian.
//
// # Sealed record, version 1 (Seal, Open)
//
//	offset size
//	0      1    version, 1
//	1      8    id of the customer's or the day's key
//	9      12   nonce: HMAC-SHA-256(nonce key, origin | number | plaintext), first 12 bytes
//	21     n    AES-256-GCM ciphertext of the plaintext
//	21+n   16   its tag; associated data: mesh.AppendHeader of the record, then bytes 0 to 9
//
// The AES key and the nonce key are the first and second 32 bytes of
// HKDF-SHA-256(secret: data key, no salt, info: "vedetta record 1" | origin).
// origin is mesh.Origin.Append, number 8 bytes. Since a number is used once
// within an origin, and the keys are the origin's own, no nonce meets two plaintexts.
//
// # Sealed column, version 1 (SealColumn, OpenColumn)
//
//	0      1    version, 1
//	1      8    id of the key
//	9      12   random nonce
//	21     n    AES-256-GCM ciphertext
//	21+n   16   its tag; associated data: bytes 0 to 9, then the purpose
//
// The AES key is HKDF-SHA-256(data key, no salt, "vedetta column 1"), 32 bytes.
// A contact's key is a column with the purpose "contact-key:" and the contact's id.
//
// # Wrapped key, version 1 (MeshKey.Wrap, Unwrap)
//
//	0      1    version, 1
//	1      8    id of the mesh's key: HMAC-SHA-256(mesh key, "vedetta mesh key id 1"), first 8 bytes
//	9      12   random nonce
//	21     64   AES-256-GCM ciphertext of data key and identity key, 32 bytes each
//	85     16   its tag; associated data: bytes 0 to 9, key id (8), owner
//
// The AES key is HKDF-SHA-256(mesh key, no salt, "vedetta wrap 1"), 32 bytes.
// The owner is the customer's id, or "day:2026-11-24".
//
// # Mesh key's file, version 1
//
//	vedetta-mesh-key-1 <64 hex digits>\n        mode 0600
//
// # Keyed hashes, version 1
//
//	identity  HMAC-SHA-256(identity key, 0x01 | each part: length (4), bytes), first 16 bytes
//	index     HMAC-SHA-256(identity key, 0x02 | length of purpose (4), purpose, value), 32 bytes
//
// # Contact token, version 1 (ContactKey.Encrypt)
//
// A Fernet token under the contact's key; its plaintext is JSON
//
//	{"v":1,"subject":contact id,"field":name of the field,"value":the value}
//
// Fernet has no associated data: subject and field are compared when it is read,
// else a token moved to another row would be believed.
package seal
