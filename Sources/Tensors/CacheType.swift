// How keys and values are kept in caches.

internal import CKernels

/// The elements of a key/value cache.
public enum CacheType: Sendable, Equatable, CaseIterable {
    case f32
    case f16
    /// 8 bits with a float32 scale for each token and head, of keys and of values.
    case int8

    var kernelType: ck_cache_type {
        switch self {
        case .f32: CK_CACHE_F32
        case .f16: CK_CACHE_F16
        case .int8: CK_CACHE_INT8
        }
    }
}
