package keeper

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tikakosh/internal/ablate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/ledger"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
)

// certificateLife is how long a certificate is valid; a new one is free
// (standards.md 1.4: HCERT at most one year).
const certificateLife = 365 * 24 * time.Hour

// Certificate implements the vault's word. Everything on it comes from sealed
// parts; it is signed here, and no caller's byte gets into it.
func (k *Keeper) Certificate(ctx context.Context, r vault.CertificateRequest) (vault.Certificate, error) {
	o, err := k.open(ctx, func(t *txn, o *release.Opening) error {
		v, err := k.partners.Visit(t.Txn, r.Holder, vault.ScopeCertificate, true)
		if err != nil {
			return err
		}
		if v.House == "" {
			return signin.NotYours()
		}
		h, err := t.Household(v.House)
		if err != nil {
			return err
		}
		p, err := t.member(h, r.Record.Person)
		if err != nil && !ablate.Off(ablate.Ownership) {
			return err
		}
		if !v.AsksFor(r.Holder, p.Reference) {
			return signin.NotYours()
		}
		if err := t.guarded(v.Bearer, v.House, r.Record.Person, p); err != nil {
			return err
		}
		if err := t.within(boundCertificates, v.House); err != nil {
			return err
		}
		people := []id.Person{r.Record.Person}
		return t.Release(o, people, map[id.Person]vault.Record{r.Record.Person: r.Record}, v.Claim(release.Claim{View: viewCertificate, Role: "holder", Also: t.issue}))
	})
	if err != nil {
		return vault.Certificate{}, err
	}
	if len(o.People) != 1 {
		return vault.Certificate{}, signin.NotYours()
	}
	return k.certificateOf(o)
}

// certificateOf makes the certificate of the one person who was opened for it.
func (k *Keeper) certificateOf(o *release.Opening) (vault.Certificate, error) {
	facts, err := k.certificateFacts(o.People[0], k.release.ViewRef(o.ViewID))
	if err != nil {
		return vault.Certificate{}, err
	}
	signer, err := encode.NewSigner(k.keys.Now().Certificate)
	if err != nil {
		return vault.Certificate{}, fault.Wrap(fault.Internal, err, "certificate key")
	}
	last := facts.Doses[len(facts.Doses)-1]
	text, err := encode.CarrierFor(last.Product).Encode(facts, signer)
	if err != nil {
		return vault.Certificate{}, fault.Wrap(fault.Internal, err, "certificate")
	}
	pdf, err := encode.CertificatePDF(facts, text, k.cfg.Fonts)
	if err != nil {
		return vault.Certificate{}, fault.Wrap(fault.Internal, err, "certificate page")
	}
	return vault.Certificate{PDF: pdf, HC1: text, ViewRef: facts.ViewRef, Receipts: o.Receipts}, nil
}

func (k *Keeper) certificateFacts(p release.Person, viewRef string) (encode.Facts, error) {
	doc, err := p.Identity(k.keys)
	if err != nil {
		return encode.Facts{}, err
	}
	doses, err := p.Doses(k.keys)
	if err != nil {
		return encode.Facts{}, err
	}
	now := k.now()
	f := encode.Facts{Realm: k.keys.Realm, ViewRef: viewRef, ReferenceID: doc.Reference, Name: doc.Name, NameLocal: doc.NameLocal,
		BirthYear: doc.BirthYear, BirthDate: doc.Birth().Date, Gender: rules.TextOf(rules.Genders(), doc.GenderID),
		IDType: rules.TextOf(rules.IDTypes(), doc.IDType), IDLast4: doc.IDLast4, Guardian: doc.Guardian, Country: "IN", Issuer: k.cfg.Issuer, CheckAt: k.cfg.CheckAt,
		IssuedAt: now, ExpiresAt: now.Add(certificateLife)}
	if f.CI, err = encode.UVCI("IN", k.keys.Realm, viewRef); err != nil {
		return f, fault.Wrap(fault.Internal, err, "certificate identifier")
	}
	for _, d := range doses {
		if !d.Counts() {
			continue
		}
		product, _ := rules.LookupProduct(d.Product)
		f.Doses = append(f.Doses, encode.Dose{Number: d.Sequence, Total: max(product.PrimaryDoses(), d.Sequence), Product: d.Product, Lot: d.Lot,
			Given: d.Day(), CentreName: d.CentreName, District: d.District, State: d.State, Vaccinator: d.Vaccinator,
			Country: d.Country, FromRecord: d.Source != rules.SourceAdministered})
	}
	if len(f.Doses) == 0 {
		return f, fault.New(fault.NotFound, vault.CodeNoDose, "No dose of this person counts, so there is no certificate: none was recorded, it waits to be confirmed, or it was taken back")
	}
	return f, nil
}

func (k *Keeper) certificateKeys() ([]byte, error) { return k.keys.Now().Verifiers.Marshal() }

// CheckpointSigner is the signer of the ledger's checkpoints and the text of
// its verifier key.
func (k *Keeper) CheckpointSigner() (note.Signer, string, error) {
	return ledger.NoteKeys(k.cfg.Origin, k.keys.Now().Checkpoint)
}

// CheckpointVKey is the verifier key of the ledger's checkpoints.
func (k *Keeper) CheckpointVKey() string {
	_, vkey, err := k.CheckpointSigner()
	if err != nil {
		return ""
	}
	return vkey
}
