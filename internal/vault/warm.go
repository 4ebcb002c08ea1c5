package vault

import "encoding/json"

// Warm makes the JSON encoder and decoder prepare every word that carries a
// person's data. What they keep for good is then not allocated beside the first
// person's data, where a small value would share its block and its life.
func Warm() error {
	for _, word := range []any{&CodeRequest{}, &CodeIssued{}, &CodeAnswer{}, &Session{}, &Holder{}, &Membership{}, &EnrolRequest{}, &Enrolled{},
		&OpenRequest{}, &Opened{}, &RemoveRequest{}, &Done{}, &OpeningsRequest{}, &Openings{}, &BookRequest{}, &Booked{}, &CancelRequest{},
		&SlipRequest{}, &Slip{}, &DoseRequest{}, &DoseSealed{}, &OpenSessionRequest{}, &CertificateRequest{}, &Certificate{}, &PartnerCodeRequest{},
		&PartnerCodeAnswer{}, &StatusPullRequest{}, &StatusTold{}, &Failure{}} {
		raw, err := json.Marshal(word)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, word); err != nil {
			return err
		}
	}
	return nil
}
