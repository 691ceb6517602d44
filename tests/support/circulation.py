"""Names that stand in people's model YAMLs: other modules than ours, and ours with a slip of the fingers."""


def _words(text: str) -> list[str]:
    return text.split()


# Attention of other papers, and of other people's.
ATTENTION = _words("""
    SA LSK LSKBlock LKA BiFormer BiLevelRoutingAttention BiLevelRoutingAttention_nchw BRA DAttention DAT
    FocalModulation CAA CAFM ACmix SEAM MultiSEAM CrissCrossAttention ParNetAttention ParNet S2Attention PSA
    PSAModule PolarizedSelfAttention SequentialPolarizedSelfAttention ParallelPolarizedSelfAttention
    ResidualAttention MHSA DoubleAttention OutlookAttention EfficientAttention ExternalAttention AxialAttention
    HaloAttention MobileViTAttention CoTAttention CoT3 GlobalContext GCBlock GatherExcite SpatialGroupEnhance SGE
    EffectiveSE EffectiveSEModule eSE scSE CPCA MPCA MCA SCSA AFGCAttention FCAttention deformable_LKA
    SegNext_Attention MSCA MSDA FocusedLinearAttention HiLo LocalWindowAttention CascadedGroupAttention
    TransNeXt_AggregatedAttention AggregatedAtt CloAttention CloAtt EMSA EMAU UFOAttention MUSEAttention AFT
    AFT_FULL DANet DAModule A2Attention SOCA LCTAttention GCAttention GaussianAttention AAAttention ChannelAttention
    SpatialAttention CALayer CAModule SAM CAM PAM CBSM BCAM CPAM CSAM SCAM CCAM DCAM SPAM ECCA LAM TA AgentAttention
    LinearAttention LocalAttention TrilinearAttention MultiHeadAttention AttentionGate StripPooling
    SpatialAttentionModule CBAMv2 SELayerV2 SENetV2 CoordAttv2 PCBAM LCBAM GLCBAM ACA CASAB CBSA MALA LRSA LWGA GLSA
    FSA SFA HAttention GAttention LSAttention MSAttention ResBlock ResBlock_SA EncoderLayer TransformerLayer
    NLBlock2 EVA GAN ESE DSE PSE MSE LSE RCAB RCA ACAM DAM MAM SAMM SGAM GCA GCM GCN GC GE SR SRU SRFD SRA STM TMA2
    FCA2D DCT FCM FEM
""")

# Convolutions, blocks, poolings, necks and heads.
MODULES = _words("""
    GSConv GSConvns VoVGSCSP VoVGSCSPC VoVGS C3Ghost C2fGhost GhostConvV2 SPPCSPC GhostSPPCSPC SPPFCSPC SimSPPF
    SimConv SPPFC DCNv2 DCNv3 DCNv4 C3_DCNv2 C2f_DCNv3 C2f_Faster C3_Faster FasterBlock PConv ODConv2d C2f_ODConv
    DBBC3 C2f_DBB RepC3 RepVGG RepVGGDW RepBlock AKConv C2f_AKConv RFAConv RFCAConv RFCBAMConv SPDConv
    space_to_depth DySample CARAFE DySnakeConv BiFPN BiFPN_Add2 BiFPN_Add3 BiFPN_Concat2 ASFF ASFF2 ASFF3 AFPN
    EVCBlock EVC SCConv ScConv CoordConv CoordGate CondConv DynamicConv MixConv2d CrossConv ReOrg DWT DownC
    ImplicitA ImplicitM IDetect IAuxDetect MP SP Shortcut Stem GhostStem BottleneckCSPA BottleneckCSPB ResCSPA
    RepResCSPA ResX RobustConv C3STR SwinStage SwinTransformerBlock PatchEmbed PatchMerging CoAtNet ConvNextBlock
    MobileOne MBConv MBConvBlock ShuffleNetV2 Conv_maxpool MobileNetV3 InvertedResidual C3RFEM RFEM RFB
    TransformerC3 C3TR C3SPP C3HB HorNet gnconv HWD ADown2 SRFD2 DRFD RGCSPELAN DRBNCSPELAN4 DBBNCSPELAN4
    CSP_EDLAN CSPStage RepHMS ContextAggregation C2f_ContextGuided DGCST VSSBlock SS2D XSSBlock C2f_KAN KANC3
    C2f_Star C2f_iRMB iRMB C2f_EMSC EMSConv SMPCGLU PKIModule FADC PPA AIFI_LPE DHead DyHead Detect_DyHead
    Detect_ASFF Decoupled_Detect SegmentV2 LayerNorm GroupNorm GRN GELU GCConv SConv SEConv SAConv ECAConv2
    EMAConv CBS CBL CBR CBM ConvBN Conv3 Concat2 Add Sum Zoom_cat ScalSeq TFE SSFF Fusion SDI FreqFusion SGBlock
    GSBottleneck GAConv CARAFE2 Involution Upsample2 EUCB
""")

MISSPELT = {
    "GAM": "GAMM GMA GAMAtention GAM_Atention GAM_Attenion GAMAttenton GAMBlock GAMModule GlobalAttetion GlobalAttn",
    "CBAM": "CBMA CABM CBAMM CBAAM CBAM_Atention CBAMAttetnion CBAMBlok CBAMLayr CBAMModule CBAM_Module cbma CBAM_Attn",
    "ECA": "ECAA EAC ECA_Atention ECAAttenton ECALayr ecalayre ECABlok ECAModule EfficentChannelAttention ECA_Attn",
    "CoordAtt": "CoordAttn CoordAtten CoordAtttention CoordinateAtention CordinateAttention CoorAtt CoordAtn",
    "SE": "SEAtention SE_Blok SELayr SEModule SEAttn SqueezeExcitaton SqeezeExcitation SqueezeExitation",
    "BAM": "BAMM BMA BAMBlok BAMAtention BAM_Attn",
    "TripletAttention": "TripletAtention TripletAttenion TripletAttn TripeltAttention Tripplet TripleAttention",
    "GSoP": "GSPo GSoPP GSoPBlok GSoPModule GSoP_Attention",
    "SRM": "SMR SRMM SRMLayr SRMAtention SRMBlock",
    "GCT": "GTC GCTT GatedChannelTransfrom GatedChanelTransformation GCTLayer",
    "FcaNet": "FcaNte FcaLayr FcaAtention MultiSpectralAtentionLayer FcaBlock",
    "EncNet": "EncNte EncModul ContextEncodng",
    "BiAttention": "BiAtention BilinearAtention BilinaerAttention BiAttn",
    "EMA": "EMAA EAM EMA_Atention EMAModule",
    "SimAM": "SimMA SimAMM SimAM_Atention SimAMBlok",
    "ShuffleAttention": "ShufleAttention ShuffelAttention ShuffleAtention ShufflAttention",
    "NAM": "NAMM NMA NAMAtention",
    "SK": "SKAtention SelectiveKernl",
    "LSKA": "LSAK LSKAA LSKAModule",
    "MLCA": "MLAC MLCAA MLCAAtention",
    "ELA": "ELAA EAL ELABlok EfficientLocalAtention",
    "NonLocal": "NonLocl NonLoacl NonLocalBlok SelfAtention NonLocalAtention NonLocalModule",
}
