-- The customs department's own system, as it was before anybody thought of exchanging records.
-- Dates are eight digits, codes are numbers, text keys are padded: the source files of the gateway deal with that.

CREATE TABLE RECORDAL (
    REC_NO      CHAR(12) PRIMARY KEY,
    RIGHT_TP    CHAR(1) NOT NULL,          -- 1 trademark, 2 patent, 3 design, 4 copyright
    RIGHT_NO    VARCHAR(20) NOT NULL,      -- number in the register of the national office
    RIGHT_TITLE VARCHAR(120) NOT NULL,
    OWNER_NM    VARCHAR(120) NOT NULL,
    OWNER_LOCAL VARCHAR(120),
    AGENT_NM    VARCHAR(120),
    VALID_FROM  CHAR(8) NOT NULL,
    VALID_TO    CHAR(8) NOT NULL,
    STATUS      CHAR(1) NOT NULL,          -- 1 active, 2 suspended, 3 expired
    CONT_NM     VARCHAR(80),
    CONT_MAIL   VARCHAR(120),
    CONT_TEL    VARCHAR(40),
    BOND_REF    VARCHAR(20),
    PRICE_LOW   VARCHAR(16),
    PRICE_HIGH  VARCHAR(16),
    UPD_TS      CHAR(19) NOT NULL
);

CREATE TABLE RECORDAL_GOODS (
    REC_NO  CHAR(12) NOT NULL REFERENCES RECORDAL,
    LINE_NO INTEGER NOT NULL,
    GDS_NM  VARCHAR(120) NOT NULL,
    PRIMARY KEY (REC_NO, LINE_NO)
);

CREATE TABLE RECORDAL_LICENSEE (
    REC_NO  CHAR(12) NOT NULL REFERENCES RECORDAL,
    LINE_NO INTEGER NOT NULL,
    LIC_NM  VARCHAR(120) NOT NULL,
    LIC_FROM CHAR(8),
    LIC_TO  CHAR(8),
    PRIMARY KEY (REC_NO, LINE_NO)
);

CREATE TABLE DETENTION (
    DET_NO   CHAR(12) PRIMARY KEY,
    STAGE    CHAR(1) NOT NULL,             -- 1 suspended 2 detained 3 seized 4 released 5 forfeited 6 destroyed 7 transferred
    DIRECTION CHAR(1) NOT NULL,            -- I import, E export
    MODE     CHAR(1) NOT NULL,             -- A on application, O of its own motion
    SUSPICION CHAR(2) NOT NULL,            -- CF counterfeit, CS confusingly similar, GM gray market
    REC_NO   CHAR(12),
    RIGHT_NO VARCHAR(20),
    CASE_NO  VARCHAR(40),                  -- court case that cites this detention
    PRES_DT  CHAR(8),
    SUSP_DT  CHAR(8) NOT NULL,
    NOTIF_DT CHAR(8),
    DEADLINE CHAR(8),
    IMP_DT   CHAR(8),
    PORT     VARCHAR(40),
    IMP_NM   VARCHAR(120),
    IMP_ADDR VARCHAR(160),
    EXP_NM   VARCHAR(120),
    EXP_ADDR VARCHAR(160),
    MANU_NM  VARCHAR(120),
    MANU_ADDR VARCHAR(160),
    DECL_NO  VARCHAR(24),
    CARRIER  VARCHAR(80),
    WAYBILL  VARCHAR(24),
    STORAGE  VARCHAR(80),
    OWNER_ANS CHAR(1),                     -- C confirms, D denies
    ANS_DT   CHAR(8),
    OFFICER  VARCHAR(60),
    UPD_TS   CHAR(19) NOT NULL
);

CREATE TABLE DETENTION_LINE (
    DET_NO  CHAR(12) NOT NULL REFERENCES DETENTION,
    LINE_NO INTEGER NOT NULL,
    GDS_NM  VARCHAR(120) NOT NULL,
    QTY     VARCHAR(12) NOT NULL,
    UNIT    CHAR(3) NOT NULL,
    ORIG    CHAR(2),
    HS      VARCHAR(10),
    BRAND   VARCHAR(40),
    AMT     VARCHAR(16),
    CUR     CHAR(3),
    PRIMARY KEY (DET_NO, LINE_NO)
);
