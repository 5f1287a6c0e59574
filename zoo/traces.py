"""Meanings of a model's attention, in words; known without loading a model."""

from zoo.records.record import Record

TRACES = {  # values of MemoryNetwork.traces
    "weights": "share of the attention at each hop",
    "gates": "how far the gate of each pass is open",
    "writing": "how much of what is read each sentence has written",
    "nothing": "this model does not say where it looks",
}
# of models whose older records do not hold it
_OF_OLDER = dict.fromkeys(
    ("DMNPlus", "GatedMemN2N", "KVMemNN", "MemN2N", "MemNN", "OpenMemNN", "Transformer", "WMN"), "weights"
) | {
    "DeltaNet": "writing", "DMN": "gates", "EntNet": "writing", "LSTM": "nothing", "NTM": "writing", "QRN": "gates",
}  # fmt: skip


def traces_of(record: Record) -> str | None:
    """Say what the attention in a record is; None if its model is not known."""
    said = record.traces or _OF_OLDER.get(record.settings["model"]["_target_"].rpartition(".")[2])
    return said if said in TRACES else None
