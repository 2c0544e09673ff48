// The tensors of one layer, by name.

/// The tensors of one layer (or of the embedding, or the head), keyed by their names without the plan's prefix.
public struct LayerWeights: Sendable {
    /// Removed from every name; errors show it again.
    public let namePrefix: String
    private let tensors: [String: StoredTensor]
    /// Keeps the memory alive; `nil` when dry.
    private let slab: WeightSlab?

    /// Names, types and shapes without data, to find out whether a layer can be built before anything is read.
    /// The tensors' addresses are aligned like real ones and must not be read.
    public init(dry plan: LayerPlan) {
        // One page in: not null, and nothing is mapped there.
        let base = UnsafeRawPointer(bitPattern: 4096)
        self.init(plan: plan, slab: nil, base: base)
    }

    /// The tensors of `plan`, already in `slab`.
    init(plan: LayerPlan, slab: WeightSlab) {
        self.init(plan: plan, slab: slab, base: UnsafeRawPointer(slab.baseAddress))
    }

    private init(plan: LayerPlan, slab: WeightSlab?, base: UnsafeRawPointer?) {
        var tensors: [String: StoredTensor] = [:]
        tensors.reserveCapacity(plan.placements.count)
        if let base {
            for placement in plan.placements {
                tensors[placement.name] = StoredTensor(
                    name: placement.fullName, elementType: placement.elementType, shape: placement.shape,
                    baseAddress: base + placement.slabOffset, packing: placement.packing)
            }
        }
        self.namePrefix = plan.namePrefix
        self.tensors = tensors
        self.slab = slab
    }

    /// Whether there is such a tensor.
    public func has(_ name: String) -> Bool { tensors[name] != nil }

    /// Names without the prefix, sorted.
    public var names: [String] { tensors.keys.sorted() }

    /// The tensor `name`, which must have `shape`.
    /// - Throws: when it is missing or has another shape; the error gives its full name and both shapes.
    public func tensor(_ name: String, shape: [Int]) throws(CheckpointError) -> StoredTensor {
        guard let tensor = try tensorIfPresent(name, shape: shape) else {
            throw CheckpointError(
                .missingTensor, tensor: namePrefix + name, "is missing from the checkpoint; expected shape \(shape)")
        }
        return tensor
    }

    /// The tensor `name`, which must have `shape` if it is there at all.
    public func tensorIfPresent(_ name: String, shape: [Int]) throws(CheckpointError) -> StoredTensor? {
        guard let tensor = tensors[name] else { return nil }
        guard tensor.shape == shape else {
            throw CheckpointError(
                .wrongShape, tensor: tensor.name, "expected shape \(shape), found \(tensor.shape)")
        }
        return tensor
    }

    /// The tensor `name` of whatever shape: quantization is recognized by how wide the stored words are.
    public func tensorIfPresent(_ name: String) -> StoredTensor? { tensors[name] }
}
