"""Account penetration: how much of what accounts could hold they do hold, from a client's own files.

Data go down this page, imports point up it: a module imports only what stands before it, above or to the left
(``tests/test_architecture.py`` holds the code to the drawing)::

    errors  quarters  planned  files  engagement  sql                    what a client's words mean
    facts.encodings  facts.zones  facts.sources                          files -> checked facts
    facts.checks  facts.intake
    facts.catalogue  facts.offers  facts.records  facts.plans
    facts.doubts  facts.eligibility  facts.portfolio
    bits  workbench  positions  lapsing  holdings  book  kept            facts -> account x quarter, kept
    measures.queries  measures.counts  measures.uncertainty              positions -> tables
    measures.cells
    measures.ratios  measures.degree  measures.change
    measures.attach  measures.offers  measures.bands
    measures.headline  measures.moves  measures.splits  measures.basis
    revenue.periods  revenue.cohort  revenue.balance                     what existing accounts bring
    revenue.groups  revenue.levels  revenue.wallet
    revenue.association  revenue
    penetration  peers  targets  feedback  offered  pitfalls             how much, against what; what misleads
    comparison  bridge  forecast                                         before and after, why, what next
    whitespace.likeness  whitespace.model  whitespace.windows            what could be sold next, and whether
    whitespace.tried  whitespace.worth  whitespace.ranking               the list foretold anything
    whitespace.evidence  whitespace.states  whitespace.lists  whitespace
    programmes.enrolled  programmes.effect  programmes.checks            who was in, what changed, what else
    programmes.alike  programmes.threats  programmes.verdict             explains it, how much may be said
    programmes.payback  programmes.staggered  programmes.windows  programmes
    kpis.library  kpis.bounds  kpis.benchmarks  kpis.figures_of          what a figure means, what stands beside it
    kpis.diagnostics  kpis
    segments.partition  segments.bands  segments.rfm  segments.latent    who the accounts are, and who moved
    segments.classes  segments.profile  segments.moves  segments
    contrast                                                             what may be called a difference
    publish
    issued.inputs  issued.lines  issued.parts  issued.record  issued     what was said before
    actions.chosen  actions.candidates  actions.workbook                 who to call, and what came of it
    actions.followed  actions.plan  actions.record
    trace                                                                tables -> files, and back to the rows
    written  wording  captions  tables                                   shown, never computed
    figures.style  figures.marks  figures.ladders  figures
    wording.groups  captions.groups  tables.groups  figures.groups
    wording.revenue  captions.revenue  tables.revenue  figures.revenue
    wording.feedback  tables.feedback  figures.feedback
    wording.targets  tables.targets  figures.targets
    wording.pitfalls  tables.pitfalls
    wording.forecast  captions.forecast  figures.forecast
    wording.issued  tables.issued
    wording.cards  tables.cards  printed
    wording.benchmarks  tables.benchmarks  figures.benchmarks
    wording.context  captions.context
    wording.whitespace  captions.whitespace
    tables.whitespace  figures.whitespace
    wording.actions  captions.actions  tables.actions  figures.actions
    wording.comparison  captions.comparison
    tables.comparison  figures.comparison
    wording.programmes  captions.programmes
    tables.programmes  figures.programmes
    wording.cases  captions.cases  tables.cases  figures.cases
    wording.intake  ledger                                               what was read, set aside and doubted
    appendix  calls                                                      cards with a client's figures; the call list
    pack.kernels  pack.parameters  pack.outputs  pack.manifest           notebooks -> reports
    pack.running  pack.pages  pack
    samples.firms  samples.technology  samples.software                  invented firms whose truth is known
    samples.folders  samples.__main__
    samples.cases  cases                                                 published cases held against them
    __main__

What only shows (``written`` to ``figures``) imports nothing above itself but ``errors`` and ``publish``.
"""
