package encode

import "strings"

// base45Alphabet is table 1 of RFC 9285, which is also the alphanumeric mode of
// QR codes (ISO/IEC 18004, table 5).
const base45Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// encodeBase45 writes b in base45 (RFC 9285 section 4).
func encodeBase45(b []byte) string {
	out := make([]byte, 0, base45Len(len(b)))
	for ; len(b) >= 2; b = b[2:] {
		v := int(b[0])<<8 | int(b[1])
		out = append(out, base45Alphabet[v%45], base45Alphabet[v/45%45], base45Alphabet[v/2025])
	}
	if len(b) == 1 {
		out = append(out, base45Alphabet[b[0]%45], base45Alphabet[b[0]/45])
	}
	return string(out)
}

// base45Len is the number of characters for n bytes.
func base45Len(n int) int { return n/2*3 + n%2*2 }

// decodeBase45 reads base45. Each byte string has one spelling: groups above
// 65535 (or 255), a left-over single character and any other character,
// lower case among them, are malformed.
func decodeBase45(s string) ([]byte, error) {
	if len(s)%3 == 1 {
		return nil, malformed("base45 length")
	}
	out := make([]byte, 0, len(s)/3*2+1)
	for len(s) > 0 {
		n := min(3, len(s))
		v, scale := 0, 1
		for i := range n {
			d := strings.IndexByte(base45Alphabet, s[i])
			if d < 0 {
				return nil, malformed("base45 character")
			}
			v += d * scale
			scale *= 45
		}
		switch {
		case n == 3 && v <= 0xffff:
			out = append(out, byte(v>>8), byte(v))
		case n == 2 && v <= 0xff:
			out = append(out, byte(v))
		default:
			return nil, malformed("base45 group")
		}
		s = s[n:]
	}
	return out, nil
}
