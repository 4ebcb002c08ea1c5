package rotation

import (
	"context"
	"slices"

	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/state"
)

// List implements the vault's word: every key there is or was, no secret.
func (k *Desk) List(ctx context.Context, _ vault.Empty) (vault.KeyList, error) {
	out := vault.KeyList{Custody: k.Custody}
	err := k.Store.View(ctx, func(tx state.Tx) error {
		out.Keys = nil
		for _, purpose := range append(keyring.Fixed(), keyring.PurposeReceipt) {
			row, err := keyring.Row(ctx, tx, k.Keys.Realm, purpose, 1)
			if err != nil {
				return err
			}
			out.Keys = append(out.Keys, vault.KeyInfo{Purpose: purpose, Key: keyring.Name(k.Keys.Realm, purpose, 1), Version: 1, Custody: k.Custody,
				Created: row.Created, Since: row.Created, State: state.KeyCurrent, Uses: keyUses(purpose)})
		}
		return nil
	})
	sets := k.Keys.Now().Sets
	for _, purpose := range keyring.Turning() {
		for _, v := range sets[purpose].Versions {
			info := vault.KeyInfo{Purpose: purpose, Key: keyring.Name(k.Keys.Realm, purpose, v.Version), Version: v.Version, Custody: v.Custody,
				Created: v.Created, Since: v.Since, Until: v.Until, State: v.State, Uses: keyUses(purpose)}
			if info.Custody == "" {
				info.Custody = k.Custody
			}
			out.Keys = append(out.Keys, info)
		}
	}
	slices.SortFunc(out.Keys, vault.KeyInfo.Compare)
	return out, err
}

func keyUses(purpose string) string {
	return map[string]string{
		keyring.PurposeMobile: "names mobile numbers in the vault's database", keyring.PurposeMatch: "names cards, enrolments and names asked about, makes the secrets of cards and links",
		keyring.PurposeContact: "seals mobile numbers and staff names", keyring.PurposeRow: "authenticates the vault's rows",
		keyring.PurposeDigest: "adds the rows up for the ledger", keyring.PurposeCode: "authenticates one-time codes", keyring.PurposeBooking: "makes security codes of bookings, checks PINs",
		keyring.PurposeView: "makes view references and pairwise subjects", keyring.PurposeEntry: "seals ledger bodies; the inbox key is made from it", keyring.PurposePersonTag: "finds a person's ledger entries",
		keyring.PurposeEpoch: "wraps the data key of each person", keyring.PurposeBearer: "signs bearers (ES256)", keyring.PurposeCertificate: "signs certificates, their revocation list and statuses (ES256)",
		keyring.PurposeReceipt: "signs receipts (Ed25519)", keyring.PurposeCheckpoint: "signs the ledger's checkpoints (Ed25519)", keyring.PurposeIDTag: "tags id numbers, inside custody",
	}[purpose]
}
