package parquet

import (
	"bytes"
	"sync"

	"github.com/apache/arrow/go/v17/parquet/metadata"
)

// workspace is working memory for the column that is being encoded.
type workspace struct {
	page       []byte
	levels     []byte
	compressed bytes.Buffer
}

// workspaces are shared by all files: few of their columns are encoded at a time,
// while one for each column of each open file would be hundreds.
var workspaces = sync.Pool{New: func() any { return &workspace{page: make([]byte, 0, PageBytes+PageBytes/8)} }}

func newWorkspace() *workspace {
	s, ok := workspaces.Get().(*workspace)
	if !ok {
		s = new(workspace)
	}
	return s
}

// begin begins a page with the levels of its slots; there are none where nothing
// can be null.
func (s *workspace) begin(levels []byte, lists bool) {
	s.page = s.page[:0]
	switch {
	case lists:
		s.levels = s.levels[:0]
		for _, l := range levels {
			s.levels = append(s.levels, l/levelSameRow)
		}
		s.page = appendLevels(s.page, s.levels, 1)
		s.levels = s.levels[:0]
		for _, l := range levels {
			s.levels = append(s.levels, l&levelMask)
		}
		s.page = appendLevels(s.page, s.levels, widthOf(levelElement+1))
	case len(levels) > 0:
		s.page = appendLevels(s.page, levels, widthOf(levelValue+1))
	}
}

// dataPage is one page, encoded, on its way into its chunk.
type dataPage struct {
	workspace // where it is encoded and compressed

	of       *columnChunk
	slots    int
	repeated bool
	stats    metadata.EncodedStatistics
	body     []byte        // compressed
	ready    chan struct{} // closed when body is; the helper is done with the page then
}

// compress may run beside whatever else happens to the chunk: it uses its codec,
// which any goroutine may use, and the memory of this page.
func (p *dataPage) compress() {
	p.body = p.workspace.page
	if p.of.pages.HasCompressor() {
		p.compressed.Reset()
		p.body = p.of.pages.Compress(&p.compressed, p.workspace.page)
	}
	close(p.ready)
}
