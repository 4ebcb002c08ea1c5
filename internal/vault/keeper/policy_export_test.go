package keeper

import "tikakosh/internal/access/policy"

// AskPolicies puts policies into force as no program does: without two people and a day.
func (k *Keeper) AskPolicies(files map[string]string) error {
	e, err := policy.FromFiles(files, k.policyAlarm)
	if err == nil {
		k.permits.Ask(e)
	}
	return err
}
