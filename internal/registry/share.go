package registry

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// ShareVault is what the vault does about links that open a certificate; *vault.Client
// satisfies it.
type ShareVault interface {
	ShareMake(context.Context, vault.ShareMakeRequest) (vault.ShareMade, error)
	ShareList(context.Context, vault.ShareListRequest) (vault.ShareList, error)
	ShareEnd(context.Context, vault.ShareEndRequest) error
	ShareFind(context.Context, vault.ShareFindRequest) (vault.ShareFound, error)
	ShareOpen(context.Context, vault.ShareOpenRequest) (vault.ShareOpened, error)
}

// Shares makes, lists, ends and opens links to certificates (ADR 43). It is safe for
// concurrent use; its errors are the Service's and the vault's.
type Shares struct {
	s     *Service
	vault ShareVault
}

// NewShares makes the service over the registry of people and the vault.
func NewShares(s *Service, v ShareVault) *Shares { return &Shares{s: s, vault: v} }

// person is a member of the holder's household by reference number.
func (x *Shares) person(ctx context.Context, h vault.Holder, ref id.Reference) (id.Person, error) {
	rows, err := x.s.resolve(ctx, h, []id.Reference{ref})
	if err != nil {
		return "", err
	}
	return rows[0].Person, nil
}

// Make makes a link for so many days, 1 to 30. The same key is the same link, for ten minutes.
func (x *Shares) Make(ctx context.Context, h vault.Holder, ref id.Reference, days int, key string) (vault.ShareMade, error) {
	p, err := x.person(ctx, h, ref)
	if err != nil {
		return vault.ShareMade{}, err
	}
	return x.vault.ShareMake(ctx, vault.ShareMakeRequest{Holder: h, Person: p, Days: days, Key: key})
}

// List lists a person's links, the newest first.
func (x *Shares) List(ctx context.Context, h vault.Holder, ref id.Reference) (vault.ShareList, error) {
	p, err := x.person(ctx, h, ref)
	if err != nil {
		return vault.ShareList{}, err
	}
	return x.vault.ShareList(ctx, vault.ShareListRequest{Holder: h, Person: p})
}

// End ends a link.
func (x *Shares) End(ctx context.Context, h vault.Holder, ref id.Reference, link string) error {
	p, err := x.person(ctx, h, ref)
	if err != nil {
		return err
	}
	return x.vault.ShareEnd(ctx, vault.ShareEndRequest{Holder: h, Person: p, ID: link})
}

// Open opens the certificate of a link by its secret alone.
//
// Steps: vault.ShareFind says whose record is needed, then vault.ShareOpen.
func (x *Shares) Open(ctx context.Context, token, origin, lang string) (out vault.ShareOpened, err error) {
	err = x.s.fresh(func() error {
		found, err := x.vault.ShareFind(ctx, vault.ShareFindRequest{Token: token, Origin: origin})
		if err != nil {
			return err
		}
		recs, err := x.s.Records(ctx, []id.Person{found.Person})
		if err != nil {
			return err
		}
		out, err = x.vault.ShareOpen(ctx, vault.ShareOpenRequest{Token: token, Origin: origin, Record: recs[0], Language: lang})
		return err
	})
	return out, err
}
