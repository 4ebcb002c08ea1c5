package metrics

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"tikakosh/internal/fault"
)

// answerMax bounds what one role may answer, in bytes.
const answerMax = 8 << 20

// Source is one role's private socket, or this process's own set.
type Source struct {
	Role   string
	Client *http.Client
	Own    *Set
}

// Ask gets one path from a role.
func (s Source) Ask(ctx context.Context, method, path, accept string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://role"+path, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "role")
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "role")
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerMax+1))
	if err != nil || len(raw) > answerMax {
		return nil, fault.New(fault.Unavailable, "role", "the role's answer is cut short or too long")
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
		return nil, fault.New(fault.Unavailable, "role", "the role answered "+res.Status)
	}
	return raw, nil
}

// Merge asks every source for its metrics, gives each the label "role", and
// writes them all in the text form, with tikakosh_up for each.
func Merge(ctx context.Context, sources []Source, out io.Writer) error {
	all := map[string]*dto.MetricFamily{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	upHelp, upType := "1 when the role answers its operator, else 0.", dto.MetricType_GAUGE
	upName := "tikakosh_up"
	up := &dto.MetricFamily{Name: &upName, Help: &upHelp, Type: &upType}
	for _, s := range sources {
		wg.Go(func() {
			families, err := s.families(ctx)
			mu.Lock()
			defer mu.Unlock()
			alive := 0.0
			if err == nil {
				alive = 1
			}
			up.Metric = append(up.Metric, &dto.Metric{Label: roleLabel(s.Role), Gauge: &dto.Gauge{Value: &alive}})
			for name, f := range families {
				for _, m := range f.Metric {
					m.Label = append(roleLabel(s.Role), m.Label...)
				}
				if have := all[name]; have == nil {
					all[name] = f
				} else if have.GetType() == f.GetType() {
					have.Metric = append(have.Metric, f.Metric...)
				}
			}
		})
	}
	wg.Wait()
	slices.SortFunc(up.Metric, func(a, b *dto.Metric) int { return strings.Compare(a.Label[0].GetValue(), b.Label[0].GetValue()) })
	all[upName] = up
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if _, err := expfmt.MetricFamilyToText(out, all[name]); err != nil {
			return fault.Wrap(fault.Unavailable, err, "metrics")
		}
	}
	return nil
}

func roleLabel(role string) []*dto.LabelPair {
	name := "role"
	return []*dto.LabelPair{{Name: &name, Value: &role}}
}

func (s Source) families(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	if s.Own != nil {
		list, err := s.Own.reg.Gather()
		out := map[string]*dto.MetricFamily{}
		for _, f := range list {
			out[f.GetName()] = f
		}
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	raw, err := s.Ask(ctx, http.MethodGet, "/metrics", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	if err != nil {
		return nil, err
	}
	out := map[string]*dto.MetricFamily{}
	for d := expfmt.NewDecoder(bytes.NewReader(raw), expfmt.NewFormat(expfmt.TypeProtoDelim)); ; {
		f := &dto.MetricFamily{}
		if err := d.Decode(f); err != nil {
			if err == io.EOF { //nolint:errorlint // the decoder's own
				return out, nil
			}
			return nil, fault.Wrap(fault.Unavailable, err, "metrics of a role")
		}
		out[f.GetName()] = f
	}
}
