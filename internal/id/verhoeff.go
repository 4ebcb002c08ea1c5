package id

// Verhoeff's dihedral-group check digit (J. Verhoeff, "Error Detecting Decimal
// Codes", Mathematical Centre Tracts 29, 1969); Aadhaar numbers end with one.

func d5mul(a, b byte) byte {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b-5)%5
	case b < 5:
		return 5 + (a-5+5-b)%5
	default:
		return (a - b + 5) % 5
	}
}

// d5perm applies the position permutation (1 5 8 9 4 2 7 0)(3 6) n times.
func d5perm(n int, v byte) byte {
	next := [10]byte{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}
	for range n % 8 {
		v = next[v]
	}
	return v
}

func verhoeffSum(s string, offset int) byte {
	var c byte
	for i := range len(s) {
		c = d5mul(c, d5perm(i+offset, s[len(s)-1-i]-'0'))
	}
	return c
}

// VerhoeffValid reports whether the digits s end with the right check digit.
// s must hold ASCII digits only.
func VerhoeffValid(s string) bool { return allDigits(s) && verhoeffSum(s, 0) == 0 }

// VerhoeffDigit returns the check digit (0 to 9) to append to the digits s.
func VerhoeffDigit(s string) byte {
	c := verhoeffSum(s, 1)
	if c > 0 && c < 5 {
		return 5 - c
	}
	return c
}
