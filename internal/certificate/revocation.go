package certificate

import (
	"fmt"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
)

// clockDrift is how far a list may be ahead of the verifier's clock.
const clockDrift = 10 * time.Minute

// Checked is what a list of revocations says of a certificate.
type Checked struct {
	Number   int64         // of the list
	Age      time.Duration // of the list
	Entries  int           // certificates the list names
	IssuedAt time.Time
}

// Against holds a genuine certificate against the issuer's list of revocations
// at the instant now. Errors are fault.Invalid: encode.CodeRevoked, its Result
// still showing what was signed; encode.CodeListOld when the list is older than
// encode.MaxRevocationAge or from the future, so that nothing can be said. A
// result that is not genuine is returned as it is.
func (r Result) Against(list encode.Revocations, now time.Time) (Result, error) {
	r.Checked = &Checked{Number: list.Number, Age: list.Age(now), Entries: list.Len(), IssuedAt: list.IssuedAt}
	if age := list.Age(now); (age > encode.MaxRevocationAge || age < -clockDrift) && !ablate.Off(ablate.Revocation) {
		r.Problem = encode.CodeListOld
		return r, fault.New(fault.Invalid, r.Problem, "the revocation list is too old to rely on: fetch a newer one from the issuer")
	}
	if r.Genuine && list.Has(r.Facts.CI) && !ablate.Off(ablate.Revocation) {
		r.Problem = encode.CodeRevoked
		return r, fault.New(fault.Invalid, r.Problem, "the certificate was revoked by its issuer")
	}
	return r, nil
}

// revocationLine says whether and how revocation was checked.
func (r Result) revocationLine() string {
	if r.Checked == nil {
		return "Revocation was not checked: give the issuer's list with --revocations."
	}
	return fmt.Sprintf("Checked against revocation list %d (%d revoked), issued %s, %s old.", r.Checked.Number, r.Checked.Entries,
		r.Checked.IssuedAt.Format(minute), age(r.Checked.Age))
}

// age is a duration as people say it.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
