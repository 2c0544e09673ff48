// Brings a planned layer into memory.

internal import CKernels

extension LayerWeights {
    /// Reads the tensors of `plan` into `slab`, which must hold at least ``LayerPlan/byteCount`` bytes and is in nobody
    /// else's use.
    /// - Returns: the weights, which keep `slab` alive, and the bytes taken from storage.
    /// - Throws: when reading fails; the slab's contents are then undefined.
    public static func load(
        _ plan: LayerPlan, into slab: WeightSlab, from reader: any TensorReader
    ) throws(CheckpointError) -> (weights: LayerWeights, bytesRead: UInt64) {
        guard slab.byteCount >= plan.byteCount else {
            throw CheckpointError(
                .unreadable,
                "\(plan.namePrefix) needs \(plan.byteCount) bytes of memory, the slab has \(slab.byteCount)")
        }
        let base = slab.baseAddress
        let bytesRead = try reader.read(
            plan.runs.map { ReadRun(tensors: $0.tensors, destination: base + $0.slabOffset) },
            plan.conversions.map { conversion in
                TensorConversion(tensor: conversion.entry, destinations: conversion.slabOffsets.map { base + $0 })
            })
        for widening in plan.widenings {
            let type = widening.entry.elementType == .f16 ? CK_F16 : CK_BF16
            let destination = (base + widening.slabOffset).bindMemory(
                to: Float.self, capacity: widening.entry.elementCount)
            ck_convert_to_f32(type, base + widening.readOffset, widening.entry.elementCount, destination)
        }
        return (LayerWeights(plan: plan, slab: slab), bytesRead)
    }

    /// Reads the tensors of `plan` into memory of their own: for what stays, such as the embedding and the head.
    public static func load(_ plan: LayerPlan, from reader: any TensorReader) throws(CheckpointError) -> LayerWeights {
        try load(plan, into: WeightSlab(byteCount: plan.byteCount), from: reader).weights
    }
}
