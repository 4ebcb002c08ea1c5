// Package encode says what a certificate states and in which form: the signed
// text (HC1), the printable page, and the check of both. It is pure: no clock,
// no storage, no network; instants are arguments. The vault signs with it, and
// the certificate service and the command line verify with it.
//
// # Forms
//
// The signed text is an HCERT (eHealth Network, "Electronic Health
// Certificates" specification 1.0.5; WHO SMART Trust): a CWT (RFC 8392) in a
// COSE_Sign1 (RFC 9052, tag 18), zlib, base45 (RFC 9285), prefix "HC1:". Two
// claims live below CWT claim -260: 1, the EU Digital COVID Certificate 1.3.3,
// for COVID-19 products; -6, the WHO DVC claim with the field names of
// smart-icvp 6a24a8e (n, dob, s, gn, v), for every other product. Later drafts
// of that claim rename fields (v to vx, dt to dv) and are not written.
//
// # One certificate, one text
//
// A signature covers the CWT only. The tag, the CBOR heads, the header maps,
// the deflate bits and the padding outside it could be respelled without
// breaking it, and revocation and tests reason about texts. So the reader
// accepts exactly one spelling: after decoding it writes the message again
// with its own frozen encoder and compares. A text written by another issuer's
// software is therefore refused as malformed even under a known key.
package encode
