"""Account penetration: how much of what accounts could hold they do hold, from a client's own files.

Data go down this page, imports point up it: a module imports only what stands before it, above or to the left
(``tests/test_architecture.py`` holds the code to the drawing)::

    samples.firms  samples.technology  samples.software                  invented clients, written as files
    samples.folders  samples.__main__
    errors  quarters  planned  engagement                                what a client's words mean
    facts.sources  facts.checks  facts.intake                            files -> checked facts
    facts.catalogue  facts.offers  facts.records  facts.eligibility
    facts.plans
    facts.portfolio
    positions  lapsing  holdings  book  kept                             facts -> account x quarter, kept
    measures.queries  measures.counts  measures.uncertainty              positions -> tables
    measures.ratios  measures.degree  measures.change  measures.attach  measures.offers
    measures.bands  measures.headline  penetration
    actions.chosen  actions.followed  actions.plan                       who to call, and what came of it
    publish
    actions.workbook  actions.record
    ledger  trace                                               tables -> files, and back to the rows
    revenue.periods  revenue.cohort  revenue.balance  revenue.groups     what existing accounts bring
    revenue.levels  revenue.wallet  revenue.association  revenue  peers
    measures.moves  measures.splits  bridge  comparison
    targets  feedback  offered  pitfalls                                 against plan; what misleads
    forecast  issued.inputs  issued.parts  issued.record  issued            what next, and what was said before
    whitespace.likeness  whitespace.model  whitespace.windows            what could be sold next, and whether the
    whitespace.tried  whitespace.worth  whitespace.ranking               list foretold anything
    whitespace.evidence  whitespace.states  whitespace.lists  whitespace
    publish  ledger  trace                                               tables -> files, and back to the rows
    written  wording  captions  tables  printed                          shown, never computed
    wording.feedback  wording.targets  wording.pitfalls
    tables.feedback  tables.targets  tables.pitfalls
    figures.style  figures.marks  figures.ladders  figures
    wording.actions  tables.actions  figures.actions
    wording.revenue  captions.revenue  tables.revenue  figures.revenue
    wording.comparison  captions.comparison  tables.comparison
    figures.style  figures.marks  figures.ladders  figures  figures.comparison
    figures.feedback  figures.targets
    forecast                                                             what next
    issued.inputs  issued.lines  issued.parts  issued.record  issued     what was said before
    publish  ledger  trace                                               tables -> files, and back to the rows
    written  wording  captions  tables                                   shown, never computed
    wording.forecast  captions.forecast  wording.issued  tables.issued  printed
    figures.style  figures.marks  figures.ladders  figures  figures.forecast
    wording.whitespace  captions.whitespace  tables.whitespace  figures.whitespace
    pack.kernels  pack.parameters  pack.outputs  pack.manifest           notebooks -> reports
    pack.running  pack.pages  pack
    __main__

What only shows (``written`` to ``figures``) imports nothing above itself but ``errors`` and ``publish``.
"""
