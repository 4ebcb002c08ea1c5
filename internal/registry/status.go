package registry

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Consents is what the vault tells a partner by a person's one-time consent.
type Consents interface {
	StatusPull(context.Context, vault.StatusPullRequest) (vault.StatusTold, error)
}

// VaccinationStatus pulls the status that a person consented to tell a partner.
// It brings the records of everybody under the number, since only the vault may
// know whose name was asked about. fault.Unauthorized or fault.Forbidden when the
// consent is not this partner's, is used or is over.
func (s *Service) VaccinationStatus(ctx context.Context, h vault.Holder) (vault.StatusTold, error) {
	var out vault.StatusTold
	err := s.fresh(func() error {
		m, err := s.vault.Membership(ctx, h)
		if err != nil {
			return err
		}
		recs, err := s.membersRecords(ctx, m, map[id.Person]int{})
		if err != nil {
			return err
		}
		out, err = s.vault.StatusPull(ctx, vault.StatusPullRequest{Holder: h, Records: recs})
		return err
	})
	return out, err
}
